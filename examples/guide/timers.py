"""The same by asyncio, whose timers run while the loop does."""

import asyncio


async def main():
    loop = asyncio.get_running_loop()
    loop.call_later(0.2, print, "Second.")
    loop.call_later(0.1, print, "First.")
    loop.call_later(0.15, print, "Never.").cancel()

    for _ in range(5):
        await asyncio.sleep(0.1)  # lateness adds up
    print("Five ticks.")


asyncio.run(main())

# Prints:
# First.
# Second.
# Five ticks.
