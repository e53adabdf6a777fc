"""CPython's signal module, by a function that it calls (signal) or by sigwaitinfo.

Neither tells the value that came with a signal."""

import os
import signal
import sys
import time


class Handlers:
    """signal.signal, and signal.pause until the function has been called."""

    def on(self, signum, call):
        signal.signal(signum, lambda *_: call())

    def run(self, stop):
        while not stop:
            signal.pause()


class Waiting:
    """The signals stay blocked; sigwaitinfo takes them."""

    def __init__(self):
        self.calls = {}

    def on(self, signum, call):
        self.calls[signum] = call
        signal.pthread_sigmask(signal.SIG_BLOCK, self.calls)

    def run(self, stop):
        while not stop:
            self.calls[signal.sigwaitinfo(self.calls).si_signo]()


def latency(loop, rounds):
    samples, stop, me = [], [], os.getpid()
    loop.on(signal.SIGUSR1, lambda: stop.append(time.monotonic_ns()))
    for i in range(-(rounds // 10), rounds):  # the first ones warm up
        stop.clear()
        sent = time.monotonic_ns()
        os.kill(me, signal.SIGUSR1)
        loop.run(stop)
        if i >= 0:
            samples.append(stop[0] - sent)
    samples.sort()
    print(f'{{"min": {samples[0]}, "median": {samples[len(samples) // 2]}}}')


def until_term(loop):
    stop = []
    loop.on(signal.SIGTERM, lambda: stop.append(True))
    print("ready", flush=True)
    loop.run(stop)


def echo(loop, peer):
    loop.on(signal.SIGUSR1, lambda: os.kill(peer, signal.SIGUSR1))
    until_term(loop)


def late(loop, others):
    stop = []
    loop.on(signal.SIGUSR2, lambda: None)
    loop.on(signal.SIGTERM, lambda: stop.append(True))
    for _ in range(others):
        os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGTERM)
    loop.run(stop)
    print('{"term": true}')


def storm(loop, _):
    standard, queued = [], []
    loop.on(signal.SIGUSR1, lambda: standard.append(0))
    loop.on(signal.SIGRTMIN + 1, lambda: queued.append(0))
    until_term(loop)
    print(f'{{"standard": {len(standard)}, "queued": {len(queued)}, "in_order": null}}')


def serve(loop, _):
    loop.on(signal.SIGINT, lambda: None)
    until_term(loop)


if __name__ == "__main__":
    variant, mode, number = sys.argv[1:]
    modes = {"latency": latency, "echo": echo, "late": late, "storm": storm, "serve": serve}
    modes[mode]({"signal": Handlers, "sigwaitinfo": Waiting}[variant](), int(number))
