"""storm.cpp by asyncio: a busy child gets 1000 SIGUSR1, then one SIGTERM. It never hears that.

The sender waits until the kernel has handed over each one, so the kernel merges none. asyncio passes
them on as bytes in a socket. While the loop is busy nobody reads it, and what comes when it is full
is dropped, with a complaint on stderr: also the SIGTERM, which comes last.
"""

import asyncio
import os
import signal
import subprocess
import sys

SENT = 1000
PATIENCE = 1  # second, for a SIGTERM that has been sent long before


async def child():
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()
    handled = 0

    def count():
        nonlocal handled
        handled += 1

    loop.add_signal_handler(signal.SIGUSR1, count)
    loop.add_signal_handler(signal.SIGTERM, heard.set)
    os.set_blocking(0, False)
    print("ready", flush=True)
    while not all_is_sent():  # computes, and so blocks the loop
        pass
    try:
        await asyncio.wait_for(heard.wait(), PATIENCE)
    except asyncio.TimeoutError:
        pass
    print(f"SIGUSR1: sent {SENT}, handled {handled}, lost {SENT - handled}.")
    print(f"SIGTERM: {'heard' if heard.is_set() else 'lost'}.", flush=True)
    await heard.wait()


def all_is_sent():
    """Whether the parent has closed our stdin."""
    try:
        return os.read(0, 1) == b""
    except BlockingIOError:
        return False


def is_pending(pid):
    """Whether a signal waits in the kernel to be handed over to the process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return any(int(line.split()[1], 16) for line in status if line.startswith("ShdPnd"))


def main():
    process = subprocess.Popen(
        [sys.executable, __file__, "child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it complains of each that it drops
        text=True,
    )
    process.stdout.readline()
    for number in [signal.SIGUSR1] * SENT + [signal.SIGTERM]:
        process.send_signal(number)
        while is_pending(process.pid):
            os.sched_yield()
    process.stdin.close()
    print(process.stdout.readline() + process.stdout.readline(), end="", flush=True)
    try:
        process.wait(PATIENCE)
        print("The child has ended.")
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        print("The child does not end: killed by SIGKILL.")


if sys.argv[1:] == ["child"]:
    asyncio.run(child())
else:
    main()
