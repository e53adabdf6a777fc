"""Unix signals by sigpp: Python's `signal` module as `sigpp.signal`, and what that cannot do.

`sigpp.install()`, or `python -m sigpp program.py`, gives a whole program sigpp's in place of its
own. Import it on the main thread first.
"""

import functools as _functools

from sigpp import _core
from sigpp._core import TimedOut, prepare_child, signal_info, sigqueue, sleep, timeout
from sigpp._core import subscription as _subscription
from sigpp._core import timer as _timer
from sigpp._switch import install

__all__ = [
    "TimedOut",
    "call_every",
    "call_later",
    "install",
    "prepare_child",
    "signal_info",
    "sigqueue",
    "sleep",
    "stream",
    "subscribe",
    "timeout",
]


def subscribe(signals, f):
    """From now on f(info) is called for each arrival of one of the signals, on the main thread.

    Beside the handler of signal(), after it, and after those that have subscribed before; each
    queued signal by itself, with its value. Any thread may subscribe. It lasts until unsubscribe()
    of what this returns, or the end of a `with`.
    """
    return _subscription(signals, f)


def call_later(seconds, f, *arguments):
    """Call f(*arguments) on the main thread after so long. Any thread; any number of timers."""
    return _timer(seconds, _functools.partial(f, *arguments), False)


def call_every(seconds, f, *arguments):
    """The same after each period, counted from now; those that it is late for are left out."""
    return _timer(seconds, _functools.partial(f, *arguments), True)


class stream(_core.stream):
    """stream(signals, *, capacity=896, stall=False): a queue of its own for some signals.

    `for info in stream`, `async for info in stream`, or next(timeout). While it is open the signals
    are caught, and each arrival is kept here until it is read. When `capacity` of them wait, the
    oldest one goes, counted by `dropped`; with `stall` real-time signals wait in the kernel. Signals
    like SIGTERM, of which the kernel keeps one, merge before that: none is lost for another.
    One thread or task at a time: another one gets OSError (EBUSY).
    """

    _awaited = None

    def close(self):
        """Give the signals back; what nobody has had is sent again. Ends the wait of another thread
        or task: its `for` is over, its next() raises ValueError."""
        super().close()
        awaited = self._awaited
        if awaited is not None and not awaited.get_loop().is_closed():
            awaited.get_loop().call_soon_threadsafe(_set, awaited)

    def __exit__(self, *_):
        self.close()

    def __aiter__(self):
        return self

    async def __anext__(self):
        import asyncio  # for who has it already

        loop = asyncio.get_running_loop()
        while not self.closed:
            if (info := self.try_next()) is not None:
                return info
            readable = loop.create_future()
            descriptor = self.fileno()
            self._hold()
            try:
                self._awaited = readable
                loop.add_reader(descriptor, _set, readable)
                if not self.closed:  # by another thread, before it could see what to set
                    await readable
            finally:
                self._awaited = None
                loop.remove_reader(descriptor)
                self._let_go()
        raise StopAsyncIteration


def _set(future):
    if not future.done():
        future.set_result(None)
