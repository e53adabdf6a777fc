"""The same by hand, as far as Python can."""

import atexit
import contextlib
import os
import signal
import threading

stop = threading.Event()
cause = []


def ask(signum, frame):
    signal.signal(signum, signal.SIG_DFL)  # the second one ends, unless `timeout` sends two at once
    cause.append(signum)
    stop.set()


def die():
    signal.signal(cause[0], signal.SIG_DFL)
    os.kill(os.getpid(), cause[0])


for number in (signal.SIGINT, signal.SIGTERM):
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, ask)

atexit.register(die)  # what has been registered before is not called any more
with contextlib.ExitStack() as clean_ups:
    clean_ups.callback(print, "Closed the database.", flush=True)
    clean_ups.callback(print, "Told the others.", flush=True)
    worker = threading.Thread(target=stop.wait)
    worker.start()

    os.kill(os.getpid(), signal.SIGTERM)
    worker.join()
    print(f"Asked by {signal.Signals(cause[0]).name}.", flush=True)

# Prints:
# Asked by SIGTERM.
# Told the others.
# Closed the database.
# (killed by SIGTERM)
