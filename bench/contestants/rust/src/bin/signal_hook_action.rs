//! signal-hook's low level: the callback is the handler's work, and sigsuspend waits.
use contestant::{Callback, Loop, STOP};
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::SeqCst;

struct Actions;

impl Loop for Actions {
    const TELLS_VALUES: bool = true;
    fn on(&mut self, signum: i32, callback: Callback) {
        // Safety: the callbacks do nothing but atomics, clock_gettime and kill.
        unsafe {
            signal_hook_registry::register_sigaction(signum, move |info| {
                callback(info.si_value().sival_ptr as usize as i32)
            })
        }
        .expect("a signal that can be heard");
    }
    fn run(&mut self) {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            while !STOP.load(SeqCst) {
                libc::sigsuspend(before.as_ptr());
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        }
    }
}

fn main() {
    contestant::contest(Actions);
}
