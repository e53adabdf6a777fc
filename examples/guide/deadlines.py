"""What Python has: one timer, on the main thread, and an exception out of its handler."""

import os
import signal


def over(signum, frame):
    raise TimeoutError


signal.signal(signal.SIGALRM, over)
ends = os.pipe()

signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    os.read(ends[0], 100)
    print("An answer.")
except TimeoutError:
    print("No answer.")
finally:
    signal.setitimer(signal.ITIMER_REAL, 0)

# Prints:
# No answer.
