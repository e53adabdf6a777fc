//! What every contestant in Rust does, whatever hears its signals: the modes of bench/README.md.
use libc::{SIGINT, SIGRTMIN, SIGTERM, SIGUSR1, SIGUSR2};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering::SeqCst};

pub type Callback = fn(value: i32);

/// Waits in `run` until STOP is true, which a callback sets.
pub trait Loop {
    const TELLS_VALUES: bool;
    fn on(&mut self, signum: i32, callback: Callback);
    fn run(&mut self);
}

// Statics, as a callback may be a signal handler: nothing is captured, nothing locked.
pub static STOP: AtomicBool = AtomicBool::new(false);
static HEARD: AtomicI64 = AtomicI64::new(0);
static PEER: AtomicI32 = AtomicI32::new(0);
static STANDARD: AtomicI64 = AtomicI64::new(0);
static QUEUED: AtomicI64 = AtomicI64::new(0);
static LAST: AtomicI32 = AtomicI32::new(-1);
static IN_ORDER: AtomicBool = AtomicBool::new(true);

fn now() -> i64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec * 1_000_000_000 + t.tv_nsec
}

fn send(pid: i32, signum: i32) {
    unsafe { libc::kill(pid, signum) };
}

fn latency(it: &mut impl Loop, rounds: i64) {
    let me = std::process::id() as i32;
    let mut samples = Vec::with_capacity(rounds as usize);
    it.on(SIGUSR1, |_| {
        HEARD.store(now(), SeqCst);
        STOP.store(true, SeqCst);
    });
    // The first ones warm up.
    for i in -rounds / 10..rounds {
        STOP.store(false, SeqCst);
        let sent = now();
        send(me, SIGUSR1);
        it.run();
        if i >= 0 {
            samples.push(HEARD.load(SeqCst) - sent);
        }
    }
    samples.sort_unstable();
    println!("{{\"min\": {}, \"median\": {}}}", samples[0], samples[samples.len() / 2]);
}

fn late(it: &mut impl Loop, others: i64) {
    let me = std::process::id() as i32;
    it.on(SIGUSR2, |_| {});
    it.on(SIGTERM, |_| STOP.store(true, SeqCst));
    for _ in 0..others {
        send(me, SIGUSR2);
    }
    send(me, SIGTERM);
    it.run();
    println!("{{\"term\": true}}");
}

fn until_term(it: &mut impl Loop) {
    it.on(SIGTERM, |_| STOP.store(true, SeqCst));
    println!("ready");
    it.run();
}

fn storm<L: Loop>(it: &mut L) {
    it.on(SIGUSR1, |_| {
        STANDARD.fetch_add(1, SeqCst);
    });
    it.on(SIGRTMIN() + 1, |value| {
        QUEUED.fetch_add(1, SeqCst);
        if value <= LAST.swap(value, SeqCst) {
            IN_ORDER.store(false, SeqCst);
        }
    });
    until_term(it);
    let order = match (L::TELLS_VALUES, IN_ORDER.load(SeqCst)) {
        (false, _) => "null",
        (_, true) => "true",
        (_, false) => "false",
    };
    let (standard, queued) = (STANDARD.load(SeqCst), QUEUED.load(SeqCst));
    println!("{{\"standard\": {standard}, \"queued\": {queued}, \"in_order\": {order}}}");
}

/// For main: the arguments are the mode and its number.
pub fn contest(mut it: impl Loop) {
    let arguments: Vec<String> = std::env::args().collect();
    let number = arguments.get(2).and_then(|n| n.parse().ok()).unwrap_or(0);
    match arguments.get(1).map(String::as_str) {
        Some("latency") => latency(&mut it, number),
        Some("late") => late(&mut it, number),
        Some("storm") => storm(&mut it),
        Some("echo") => {
            PEER.store(number as i32, SeqCst);
            it.on(SIGUSR1, |_| send(PEER.load(SeqCst), SIGUSR1));
            until_term(&mut it);
        }
        Some("serve") => {
            it.on(SIGINT, |_| {});
            until_term(&mut it);
        }
        _ => {
            eprintln!("mode number; see bench/README.md");
            std::process::exit(2);
        }
    }
}
