//! signal-hook's iterator: its handler keeps what came in a slot, and wakes who waits by a pipe.
use contestant::{Callback, Loop, STOP};
use signal_hook::iterator::exfiltrator::{Exfiltrator, SignalOnly, WithRawSiginfo};
use signal_hook::iterator::SignalsInfo;
use std::sync::atomic::Ordering::SeqCst;

struct Iterator<E: Exfiltrator> {
    signals: SignalsInfo<E>,
    signum_and_value: fn(E::Output) -> (i32, i32),
    callbacks: [Option<Callback>; 65],
}

impl<E: Exfiltrator + Default> Iterator<E> {
    fn new(signum_and_value: fn(E::Output) -> (i32, i32)) -> Self {
        let signals = SignalsInfo::new::<_, i32>([]).expect("a pipe");
        Iterator { signals, signum_and_value, callbacks: [None; 65] }
    }
}

impl<E: Exfiltrator> Loop for Iterator<E> {
    const TELLS_VALUES: bool = true;
    fn on(&mut self, signum: i32, callback: Callback) {
        self.callbacks[signum as usize] = Some(callback);
        self.signals.handle().add_signal(signum).expect("a signal that can be heard");
    }
    fn run(&mut self) {
        while !STOP.load(SeqCst) {
            for it in self.signals.wait() {
                let (signum, value) = (self.signum_and_value)(it);
                if let Some(callback) = self.callbacks[signum as usize] {
                    callback(value);
                }
            }
        }
    }
}

fn main() {
    // Only the storm asks for values.
    if std::env::args().nth(1).as_deref() == Some("storm") {
        contestant::contest(Iterator::<WithRawSiginfo>::new(|info| {
            (info.si_signo, unsafe { info.si_value() }.sival_ptr as usize as i32)
        }));
    } else {
        contestant::contest(Iterator::<SignalOnly>::new(|signum| (signum, 0)));
    }
}
