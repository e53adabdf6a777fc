//! tokio::signal: a task for each signal, all on the thread that runs the runtime.
use contestant::{Callback, Loop, STOP};
use std::sync::{atomic::Ordering::SeqCst, Arc};
use tokio::signal::unix::{signal, SignalKind};

struct Tasks {
    runtime: tokio::runtime::Runtime,
    stopped: Arc<tokio::sync::Notify>,
}

impl Loop for Tasks {
    const TELLS_VALUES: bool = false;
    fn on(&mut self, signum: i32, callback: Callback) {
        let _context = self.runtime.enter();
        let mut stream = signal(SignalKind::from_raw(signum)).expect("a signal that can be heard");
        let stopped = self.stopped.clone();
        self.runtime.spawn(async move {
            while stream.recv().await.is_some() {
                callback(0);
                if STOP.load(SeqCst) {
                    stopped.notify_one();
                }
            }
        });
    }
    fn run(&mut self) {
        self.runtime.block_on(self.stopped.notified());
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io() // which signals need
        .build()
        .expect("an epoll");
    contestant::contest(Tasks { runtime, stopped: Arc::default() });
}
