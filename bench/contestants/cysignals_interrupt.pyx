# cython: language_level=3
"""cysignals interrupts C code: within sig_on() a signal becomes a Python exception.

It does so for SIGINT, SIGALRM and SIGHUP alone, and for none of what the modes ask for: what can be
measured of it is how long SIGALRM takes to become an exception."""

import sys
import time

from cysignals.signals cimport sig_on
from cysignals.signals import AlarmInterrupt
from libc.signal cimport SIGALRM
from posix.signal cimport kill
from posix.unistd cimport getpid, pause


cdef wait_in_c():
    sig_on()
    kill(getpid(), SIGALRM)
    while True:
        pause()


def latency(rounds):
    samples = []
    for i in range(-(rounds // 10), rounds):  # the first ones warm up
        sent = time.monotonic_ns()
        try:
            wait_in_c()
        except AlarmInterrupt:
            if i >= 0:
                samples.append(time.monotonic_ns() - sent)
    samples.sort()
    print(f'{{"min": {samples[0]}, "median": {samples[len(samples) // 2]}}}')


if sys.argv[1] == "latency":
    latency(int(sys.argv[2]))
else:
    print("cysignals hears no SIGUSR1, SIGUSR2 or SIGTERM", file=sys.stderr)
    sys.exit(3)
