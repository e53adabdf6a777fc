"""What Python has: signals that are blocked, and taken one by one."""

import os
import signal

signals = {signal.SIGHUP, signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # in every thread, and before they start

os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGHUP)  # merged by the kernel: nobody takes the first one yet
print(f"Next: {signal.Signals(signal.sigwaitinfo(signals).si_signo).name}.")

os.kill(os.getpid(), signal.SIGTERM)
print(f"Next: {signal.Signals(signal.sigwaitinfo(signals).si_signo).name}.")

if signal.sigtimedwait(signals, 0.01) is None:
    print("No more.")

# Prints:
# Next: SIGHUP.
# Next: SIGTERM.
# No more.
