"""lost_wakeups.py VARIANT TRIALS: the same for CPython; see lost_wakeups.cpp.

The effect that is looked for is the handler's own, and not the end of the call, which goes on after
a handler that returns (PEP 475).
"""
import ctypes
import json
import mmap
import os
import random
import select
import signal
import sys
import time

SPIN = 20_000  # ns
WIDEST = 40_000
PATIENCE = 50_000_000
BEGUN, HEARD, LOST = range(3)
PR_SET_PDEATHSIG = 1

shared = (ctypes.c_long * 3).from_buffer(mmap.mmap(-1, mmap.PAGESIZE))
now = time.perf_counter_ns


def stay_on_processor(n):
    all_of_them = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {all_of_them[n % len(all_of_them)]})


def sleeps(process):
    with open(f"/proc/{process}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(") ")[2].startswith("S")


def send(waiter, trials, out):
    draw = random.Random(3)
    for trial in range(1, trials + 1):
        while shared[BEGUN] < trial:
            pass
        end = now() + draw.randrange(WIDEST)
        while now() < end:
            pass
        again = False
        while shared[HEARD] < trial:
            shared[LOST] += again
            os.kill(waiter, signal.SIGUSR1)
            end = now() + PATIENCE
            while shared[HEARD] < trial and (now() < end or not sleeps(waiter)):
                pass
            again = True
        os.write(out, b"x")  # the end of the trial


class Woken(Exception):
    pass


def note(_signum, _frame):
    shared[HEARD] = shared[BEGUN]


def raise_woken(_signum, _frame):
    shared[HEARD] = shared[BEGUN]
    raise Woken


def begin(trial):
    shared[BEGUN] = trial
    end = now() + SPIN
    while now() < end:
        pass


def os_read(trial, end):
    begin(trial)
    os.read(end, 1)


def time_sleep(trial, end):
    try:
        begin(trial)
        if shared[HEARD] < trial:
            time.sleep(1000)
    except Woken:
        pass
    os.read(end, 1)


def signal_pause(trial, end):
    begin(trial)
    while shared[HEARD] < trial:
        signal.pause()
    os.read(end, 1)


def wakeup_fd(trial, end):
    begin(trial)
    while shared[HEARD] < trial:
        select.select([bell], [], [])
        os.read(bell, 64)
    os.read(end, 1)


VARIANTS = {
    "os_read": (os_read, note),
    "time_sleep": (time_sleep, raise_woken),
    "signal_pause": (signal_pause, note),
    "wakeup_fd": (wakeup_fd, note),
}

if len(sys.argv) != 3 or sys.argv[1] not in VARIANTS:
    sys.exit("lost_wakeups.py VARIANT TRIALS; the variants are: " + ", ".join(VARIANTS))
wait, handler = VARIANTS[sys.argv[1]]
trials = int(sys.argv[2])
in_end, out_end = os.pipe()

self = os.getpid()
child = os.fork()
if child == 0:
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        stay_on_processor(1)
        send(self, trials, out_end)
    finally:
        os._exit(0)

stay_on_processor(0)
if wait is wakeup_fd:
    bell, bell_out = os.pipe()
    for fd in bell, bell_out:
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(bell_out)
signal.signal(signal.SIGUSR1, handler)
for trial in range(1, trials + 1):
    wait(trial, in_end)
os.waitpid(child, 0)
print(json.dumps({"trials": trials, "lost": shared[LOST]}))
