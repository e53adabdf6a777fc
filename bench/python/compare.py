#!/usr/bin/env python3
"""compare.py PACKAGE [ROUNDS]: Python's `signal` module and sigpp's, in one interleaved run.

PACKAGE is the folder that `sigpp` is in. Each measurement is a process of its own, A B A B ...; what
is told is the median of each one's medians, and the ratio: below 1 sigpp is faster.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

WORK = """\
import asyncio, json, os, signal, statistics, sys, time
now, me, n = time.perf_counter_ns, os.getpid(), 5000
heard = 0

def handler(signum, frame):
    global heard
    heard = now()

def kill():  # to the first line of the handler
    before = now()
    os.kill(me, signal.SIGUSR1)
    return heard - before

def raise_signal():  # and back
    before = now()
    signal.raise_signal(signal.SIGUSR1)
    return now() - before

def set_handler():
    before = now()
    signal.signal(signal.SIGUSR2, handler)
    return now() - before

def measure(f):
    signal.signal(signal.SIGUSR1, handler)
    times = [f() for _ in range(n)]
    return statistics.median(times[n // 10:])

async def callbacks():
    loop = asyncio.get_running_loop()
    called = asyncio.Event()
    def callback():
        global heard
        heard = now()
        called.set()
    loop.add_signal_handler(signal.SIGUSR1, callback)
    times = []
    for _ in range(n // 5):
        called.clear()
        before = now()
        os.kill(me, signal.SIGUSR1)
        await called.wait()
        times.append(heard - before)
    return statistics.median(times[n // 50:])

print(json.dumps({
    "os.kill to the handler": measure(kill),
    "raise_signal": measure(raise_signal),
    "signal(), replacing a handler": measure(set_handler),
    "os.kill to asyncio's callback": asyncio.run(callbacks()),
}))
"""


def measure(package, rounds):
    """What, ns by Python's, ns by sigpp's."""
    environment = dict(os.environ, PYTHONPATH=str(package.resolve()))
    commands = {"Python": ["-c", WORK], "sigpp": ["-m", "sigpp", "-c", WORK]}
    results = {"Python": {}, "sigpp": {}}
    for _ in range(rounds):
        for who, command in commands.items():
            done = subprocess.run(
                [sys.executable, *command], env=environment, stdout=subprocess.PIPE, check=True
            )
            for name, value in json.loads(done.stdout).items():
                results[who].setdefault(name, []).append(value)
    for name, stock in results["Python"].items():
        yield name, statistics.median(stock), statistics.median(results["sigpp"][name])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("rounds", type=int, nargs="?", default=9)
    arguments = parser.parse_args()
    print(f"{'ns':32} {'Python':>8} {'sigpp':>8} {'ratio':>6}")
    for name, before, after in measure(arguments.package, arguments.rounds):
        print(f"{name:32} {before:8.0f} {after:8.0f} {after / before:6.2f}")


if __name__ == "__main__":
    main()
