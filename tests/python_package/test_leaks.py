"""Nothing is kept of what is over: references, memory."""

import gc
import os
import resource
import sys
import unittest

import sigpp
from sigpp import signal

ME = os.getpid()
ROUNDS = 1_000_000 if "SIGPP_LONG" in os.environ else 50_000


def memory():
    """Of this process, now, in bytes."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


class Leaks(unittest.TestCase):
    def steady(self, f, rounds):
        """Neither objects nor memory, once it has run for a while."""
        for _ in range(rounds // 10):
            f()
        before, objects, blocks = memory(), len(gc.get_objects()), sys.getallocatedblocks()
        for _ in range(rounds):
            f()
        self.assertLess(memory() - before, 2_000_000)
        self.assertLess(len(gc.get_objects()) - objects, 100)
        self.assertLess(sys.getallocatedblocks() - blocks, 1000)

    def test_arrivals(self):
        got = []

        def handler(signum, frame, info):
            got[:] = [info]

        def subscriber(info):
            got[:] = [info]

        signal.signal(signal.SIGUSR1, handler)
        subscription = sigpp.subscribe([signal.SIGUSR1], subscriber)
        references = [sys.getrefcount(f) for f in (handler, subscriber)]
        self.steady(lambda: sigpp.sigqueue(ME, signal.SIGUSR1, 1), ROUNDS)
        self.assertEqual([sys.getrefcount(f) for f in (handler, subscriber)], references)
        subscription.unsubscribe()
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        less = [count - 1 for count in references]
        self.assertEqual([sys.getrefcount(f) for f in (handler, subscriber)], less)

    def test_exceptions(self):
        def fail(signum, frame):
            raise ZeroDivisionError

        def work():
            with self.assertRaises(ZeroDivisionError):
                signal.raise_signal(signal.SIGUSR1)

        signal.signal(signal.SIGUSR1, fail)
        self.steady(work, ROUNDS // 10)

    def test_registering(self):
        def handler(signum, frame):
            pass

        def work():
            signal.signal(signal.SIGUSR1, handler)
            sigpp.subscribe([signal.SIGHUP], handler).unsubscribe()
            sigpp.call_later(60, handler).cancel()
            with sigpp.timeout(60):
                pass
            signal.signal(signal.SIGUSR1, signal.SIG_DFL)

        self.steady(work, ROUNDS // 10)
        self.assertEqual(sys.getrefcount(handler), 2)

    def test_timers_that_have_run(self):
        def f():
            pass

        def work():
            sigpp.call_later(0, f)
            signal.sigpending()

        self.steady(work, ROUNDS // 10)
        self.assertEqual(sys.getrefcount(f), 2)

    def test_streams(self):
        def work():
            with sigpp.stream([signal.SIGUSR1]) as stream:
                os.kill(ME, signal.SIGUSR1)
                stream.next()
                stream.fileno()

        self.steady(work, ROUNDS // 50)


if __name__ == "__main__":
    unittest.main()
