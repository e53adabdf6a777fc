"""What one can do in Python: block the signals everywhere, and let a thread take them."""

import os
import queue
import signal
import threading

heard = queue.Queue()
signals = {signal.SIGTERM, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before any thread starts; children inherit it


def take():
    while True:
        heard.put(signal.sigwait(signals))


threading.Thread(target=take, daemon=True).start()
os.kill(os.getpid(), signal.SIGTERM)
print(f"Heard: {heard.get().name}.")

# Prints:
# Heard: SIGTERM.
