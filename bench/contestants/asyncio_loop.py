"""asyncio: loop.add_signal_handler, which does not tell the value that came with a signal."""

import asyncio
import os
import signal
import sys
import time


def on(signum, call):
    asyncio.get_running_loop().add_signal_handler(signum, call)


async def latency(rounds):
    heard, me, samples = asyncio.Event(), os.getpid(), []
    at = 0

    def call():
        nonlocal at
        at = time.monotonic_ns()
        heard.set()

    on(signal.SIGUSR1, call)
    for i in range(-(rounds // 10), rounds):  # the first ones warm up
        heard.clear()
        sent = time.monotonic_ns()
        os.kill(me, signal.SIGUSR1)
        await heard.wait()
        if i >= 0:
            samples.append(at - sent)
    samples.sort()
    print(f'{{"min": {samples[0]}, "median": {samples[len(samples) // 2]}}}')


async def until_term():
    term = asyncio.Event()
    on(signal.SIGTERM, term.set)
    print("ready", flush=True)
    await term.wait()


async def echo(peer):
    on(signal.SIGUSR1, lambda: os.kill(peer, signal.SIGUSR1))
    await until_term()


async def late(others):
    term = asyncio.Event()
    on(signal.SIGUSR2, lambda: None)
    on(signal.SIGTERM, term.set)
    for _ in range(others):
        os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGTERM)
    await term.wait()
    print('{"term": true}')


async def storm(_):
    standard, queued = [], []
    on(signal.SIGUSR1, lambda: standard.append(0))
    on(signal.SIGRTMIN + 1, lambda: queued.append(0))
    await until_term()
    print(f'{{"standard": {len(standard)}, "queued": {len(queued)}, "in_order": null}}')


async def serve(_):
    on(signal.SIGINT, lambda: None)
    await until_term()


if __name__ == "__main__":
    modes = {"latency": latency, "echo": echo, "late": late, "storm": storm, "serve": serve}
    asyncio.run(modes[sys.argv[1]](int(sys.argv[2])))
