"""docs/guide/python-users.md, as one program. PYTHONPATH leads to the package."""

import asyncio
import os
import time

import sigpp
import sigpp.signal as signal


# A handler of three arguments is told who sent the signal, and what came with it.
def handler(signum, frame, info):
    print(f"from me: {info.pid == os.getpid()}, value {info.value}")


signal.signal(signal.SIGUSR1, handler)
sigpp.sigqueue(os.getpid(), signal.SIGUSR1, 42)

# Several functions for one signal, from any thread; each queued signal by itself.
values = []
with sigpp.subscribe([signal.SIGRTMIN], lambda info: values.append(info.value)):
    for value in range(5):
        sigpp.sigqueue(os.getpid(), signal.SIGRTMIN, value)
print(values)

# A deadline for any code, on any thread.
try:
    with sigpp.timeout(0.1):
        time.sleep(60)
except TimeoutError as error:
    print(error)

# Any number of timers.
sigpp.call_later(0.01, print, "later")
time.sleep(0.1)


# Signals as a sequence, for asyncio too.
async def serve():
    with sigpp.stream([signal.SIGHUP, signal.SIGTERM]) as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        async for info in signals:
            print(signal.Signals(info.signum).name)
            if info.signum == signal.SIGTERM:
                break


asyncio.run(serve())
