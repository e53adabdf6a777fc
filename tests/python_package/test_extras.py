"""What Python's module lacks. Every test case is a process of its own: see test_in_processes()."""

import asyncio
import functools
import os
import signal as stdlib
import sys
import threading
import time
import unittest

import sigpp
from sigpp import signal

ME = os.getpid()


def run_in_thread(f):
    """What f() returns, or raises, on another thread."""
    result = []

    def work():
        try:
            result.append(f())
        except BaseException as error:  # pylint: disable=broad-except
            result.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return result[0]


class Handlers(unittest.TestCase):
    def test_three_arguments(self):
        got = []

        def handler(signum, frame, info):
            got.append((signum, frame.f_code.co_name, info.signum, info.pid, info.value))

        signal.signal(signal.SIGUSR1, handler)
        os.kill(ME, signal.SIGUSR1)
        sigpp.sigqueue(ME, signal.SIGUSR1, 42)
        here = sys._getframe().f_code.co_name
        n = signal.SIGUSR1
        self.assertEqual(got, [(n, here, n, ME, None), (n, here, n, ME, 42)])
        self.assertIs(signal.getsignal(signal.SIGUSR1), handler)

    def test_who_gets_three(self):
        got = []

        class Handler:
            def two(self, signum, frame):
                got.append("method of two")

            def three(self, signum, frame, info):
                got.append(f"method of {info.signum}")

            def __call__(self, *arguments):
                got.append(len(arguments))

        def default(signum, frame, more=None):
            got.append(more)

        def any_number(*arguments):
            got.append(len(arguments))

        handler = Handler()
        handlers = [handler.two, handler.three, handler, default, any_number]
        handlers.append(functools.partial(lambda x, signum, frame: got.append(x), "partial"))
        for each in handlers:
            signal.signal(signal.SIGUSR1, each)
            signal.raise_signal(signal.SIGUSR1)
        n = int(signal.SIGUSR1)
        self.assertEqual(got, ["method of two", f"method of {n}", 2, None, 2, "partial"])

    def test_a_queued_signal_is_a_call_of_its_own(self):
        values = []
        signal.signal(signal.SIGRTMIN, lambda signum, frame, info: values.append(info.value))
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
        for value in range(-50, 50):
            sigpp.sigqueue(ME, signal.SIGRTMIN, value)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGRTMIN})
        self.assertEqual(values, list(range(-50, 50)))

    def test_a_handler_is_not_nested_in_itself(self):
        depth, deepest, calls = 0, 0, 0

        def handler(signum, frame):
            nonlocal depth, deepest, calls
            depth += 1
            calls += 1
            deepest = max(deepest, depth)
            if calls < 1000:
                signal.raise_signal(signum)
            depth -= 1

        signal.signal(signal.SIGUSR1, handler)
        signal.raise_signal(signal.SIGUSR1)
        while calls < 1000:
            pass
        self.assertEqual((calls, deepest), (1000, 1))

    def test_only_the_main_thread_may_as_in_python(self):
        for module in (signal, stdlib):
            error = run_in_thread(lambda m=module: m.signal(signal.SIGUSR1, print))
            self.assertIsInstance(error, ValueError)
            self.assertIn("signal only works in main thread", str(error))


class Modules(unittest.TestCase):
    def test_both_have_the_same_names_and_numbers(self):
        def names(module):
            return {name for name in vars(module) if not name.startswith("_")}

        self.assertEqual(names(signal), names(stdlib))
        self.assertIs(signal.SIGINT, stdlib.SIGINT)
        self.assertIs(signal.Signals, stdlib.Signals)
        self.assertIs(signal.ItimerError, stdlib.ItimerError)

    def test_install_after_import(self):
        from signal import signal as taken_before

        sigpp.install()
        sigpp.install()
        values = []

        def handler(signum, frame, info):
            values.append(info.value)

        self.assertIs(taken_before(signal.SIGUSR1, handler), signal.SIG_DFL)
        sigpp.sigqueue(ME, signal.SIGUSR1, 7)
        self.assertEqual(values, [7])
        self.assertIs(stdlib.getsignal(signal.SIGUSR1), handler)
        self.assertIs(signal.getsignal(signal.SIGUSR1), handler)
        self.assertIs(sys.modules["_signal"], stdlib._signal)

    def test_beside_pythons_own(self):
        calls = []

        def ours(signum, frame, info):
            calls.append("ours")

        signal.signal(signal.SIGUSR1, ours)
        before = stdlib.signal(signal.SIGUSR1, lambda signum, frame: calls.append("theirs"))
        signal.raise_signal(signal.SIGUSR1)
        stdlib.signal(signal.SIGUSR1, before)  # puts back what it has got
        signal.raise_signal(signal.SIGUSR1)
        self.assertEqual(calls, ["theirs", "ours"])
        self.assertIs(signal.getsignal(signal.SIGUSR1), ours)

    def test_ctrl_c_is_a_keyboard_interrupt(self):
        self.assertIs(signal.getsignal(signal.SIGINT), stdlib.default_int_handler)
        with self.assertRaises(KeyboardInterrupt):
            os.kill(ME, signal.SIGINT)

    def test_the_signal_that_sigpp_itself_uses(self):
        got = []
        stkflt = 16  # without a name before Python 3.11
        self.assertIs(signal.signal(stkflt, lambda *a: got.append(a[0])), signal.SIG_DFL)
        os.kill(ME, stkflt)
        while not got:
            pass
        self.assertEqual(got, [stkflt])
        signal.signal(stkflt, signal.SIG_IGN)
        self.assertIs(signal.getsignal(stkflt), signal.SIG_IGN)


class Subscribers(unittest.TestCase):
    def test_several_from_any_thread(self):
        calls = []
        main = threading.get_ident()

        def noting(name):
            return lambda *_: calls.append((name, threading.get_ident() == main))

        first = run_in_thread(lambda: sigpp.subscribe({signal.SIGHUP}, noting("first")))
        second = sigpp.subscribe([signal.SIGHUP, signal.SIGUSR1], noting("second"))
        signal.signal(signal.SIGHUP, noting("handler"))
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(calls, [("handler", True), ("first", True), ("second", True)])
        first.unsubscribe()
        first.unsubscribe()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        del calls[:]
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(calls, [("second", True)])
        second.unsubscribe()
        signal.raise_signal(signal.SIGHUP)  # ignored
        self.assertEqual(calls, [("second", True)])

    def test_who_drops_it_has_not_unsubscribed(self):
        calls = []
        sigpp.subscribe({signal.SIGHUP}, calls.append)
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual([info.signum for info in calls], [signal.SIGHUP])

    def test_with(self):
        calls = []
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with sigpp.subscribe({signal.SIGHUP}, calls.append):
            signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(len(calls), 1)

    def test_what_it_raises_leaves_the_call(self):
        def fail(info):
            raise ZeroDivisionError

        with sigpp.subscribe({signal.SIGHUP}, fail), self.assertRaises(ZeroDivisionError):
            signal.raise_signal(signal.SIGHUP)

    def test_bad_arguments(self):
        for signals, error in ((set(), ValueError), ({0}, ValueError), ({9}, OSError), (3, TypeError)):
            with self.assertRaises(error):
                sigpp.subscribe(signals, print)


class Streams(unittest.TestCase):
    def test_next(self):
        with sigpp.stream({signal.SIGUSR1, signal.SIGRTMIN}) as stream:
            self.assertIsNone(stream.try_next())
            self.assertIsNone(stream.next(0.01))
            for value in (1, 2, 3):
                sigpp.sigqueue(ME, signal.SIGRTMIN, value)
            self.assertEqual([stream.next().value for _ in range(3)], [1, 2, 3])
            threading.Timer(0.01, os.kill, (ME, signal.SIGUSR1)).start()
            for info in stream:
                self.assertEqual(info.signum, signal.SIGUSR1)
                break
        with self.assertRaisesRegex(ValueError, "closed"):
            stream.next()

    def test_another_thread_waits(self):
        stream = sigpp.stream([signal.SIGUSR1])
        threading.Timer(0.01, os.kill, (ME, signal.SIGUSR1)).start()
        self.assertEqual(run_in_thread(stream.next).signum, signal.SIGUSR1)

    def test_what_is_dropped_is_counted(self):
        stream = sigpp.stream([signal.SIGRTMIN], capacity=10)
        for value in range(100):
            sigpp.sigqueue(ME, signal.SIGRTMIN, value)
        self.assertEqual(stream.dropped, 90)
        self.assertEqual([stream.next().value for _ in range(10)], list(range(90, 100)))
        with self.assertRaisesRegex(ValueError, "capacity"):
            sigpp.stream([signal.SIGRTMIN], capacity=0)

    def test_handlers_run_while_it_waits(self):
        def fail(signum, frame):
            raise ZeroDivisionError

        signal.signal(signal.SIGALRM, fail)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with sigpp.stream([signal.SIGUSR1]) as stream, self.assertRaises(ZeroDivisionError):
            stream.next()

    def test_asyncio_hears_the_sigterm_after_a_storm(self):
        stream_dropped = []

        async def main():
            heard = []
            with sigpp.stream([signal.SIGUSR1, signal.SIGTERM]) as stream:
                for _ in range(5000):
                    os.kill(ME, signal.SIGUSR1)
                os.kill(ME, signal.SIGTERM)
                async for info in stream:
                    heard.append(info)
                    if info.signum == signal.SIGTERM:
                        break
                stream_dropped.append(stream.dropped)
                asyncio.get_running_loop().call_later(0.01, os.kill, ME, signal.SIGUSR1)
                self.assertEqual((await stream.__anext__()).signum, signal.SIGUSR1)
            return heard

        heard = asyncio.run(main())
        merged, dropped = sum(info.merged for info in heard), stream_dropped.pop()
        self.assertEqual(len(heard) + merged + dropped, 5001)
        self.assertLessEqual(dropped, 1)  # for the SIGTERM


class Timeouts(unittest.TestCase):
    def test_blocking_and_computing_on_the_main_thread(self):
        reader, _ = os.pipe()
        lock = threading.Lock()
        lock.acquire()

        def compute():
            while True:
                pass

        for work in (lambda: time.sleep(60), lambda: os.read(reader, 1), lock.acquire, compute):
            with self.assertRaises(TimeoutError):
                with sigpp.timeout(0.02) as scope:
                    try:
                        work()
                    except Exception:  # pylint: disable=broad-except
                        self.fail("swallowed")
            self.assertTrue(scope.expired)

    def test_on_another_thread(self):
        def compute():
            with sigpp.timeout(0.02):
                while True:
                    pass

        def sleep():
            with sigpp.timeout(0.02):
                sigpp.sleep(60)

        for work in (compute, sleep):
            self.assertIsInstance(run_in_thread(work), TimeoutError)

    def test_in_time(self):
        with sigpp.timeout(60) as scope:
            pass
        self.assertFalse(scope.expired)
        with self.assertRaises(ZeroDivisionError), sigpp.timeout(60):
            raise ZeroDivisionError

    def test_nested(self):
        def work():
            with self.assertRaises(TimeoutError), sigpp.timeout(60):
                with sigpp.timeout(0.02):
                    sigpp.sleep(60)
            inner_left = False
            with self.assertRaises(TimeoutError), sigpp.timeout(0.02) as outer:
                with sigpp.timeout(60) as inner:
                    sigpp.sleep(60)
                inner_left = True
            return inner_left, outer.expired, inner.expired

        self.assertEqual(work(), (False, True, False))
        self.assertEqual(run_in_thread(work), (False, True, False))

    def test_one_that_is_left_hits_no_later_code(self):
        def work():
            over = 0
            for n in range(2000):
                try:
                    with sigpp.timeout(n % 50 * 1e-6):
                        for _ in range(500):
                            pass
                except (TimeoutError, *unconverted):
                    over += 1
            sigpp.sleep(0.001)
            return over

        # Before 3.10 an exception may come between the block and __exit__, which is not called then.
        unconverted = (sigpp.TimedOut,) if sys.version_info < (3, 10) else ()
        self.assertIn(work(), range(1, 2001))
        self.assertIn(run_in_thread(work), range(2001))  # the main thread is asked for them

    def test_it_can_be_entered_once(self):
        scope = sigpp.timeout(60)
        with scope, self.assertRaises(RuntimeError):
            scope.__enter__()
        for bad in (-1, float("nan")):
            with self.assertRaises(ValueError):
                sigpp.timeout(bad)


class Timers(unittest.TestCase):
    def test_in_order_with_arguments(self):
        calls = []
        for n in range(5):
            sigpp.call_later((5 - n) / 10, calls.append, n)
        while len(calls) < 5:
            time.sleep(0.001)
        self.assertEqual(calls, [4, 3, 2, 1, 0])

    def test_cancel(self):
        calls = []
        timer = sigpp.call_later(60, calls.append, 1)
        self.assertGreater(timer.remaining(), 50)
        self.assertTrue(timer.cancel())
        self.assertFalse(timer.cancel())
        self.assertEqual(timer.remaining(), 0)
        done = sigpp.call_later(0, calls.append, 2)
        while not calls:
            pass
        self.assertFalse(done.cancel())
        self.assertEqual(calls, [2])

    def test_every(self):
        calls = []
        with sigpp.call_every(0.002, calls.append, None):
            while len(calls) < 5:
                time.sleep(60 if len(calls) > 100 else 0.001)
        count = len(calls)
        sigpp.sleep(0.01)
        self.assertEqual(len(calls), count)
        with self.assertRaises(OSError):
            sigpp.call_every(0, print)

    def test_from_another_thread_on_the_main_one(self):
        where = []
        run_in_thread(lambda: sigpp.call_later(0.01, lambda: where.append(threading.get_ident())))
        while not where:
            time.sleep(0.001)
        self.assertEqual(where, [threading.get_ident()])

    def test_what_it_raises_leaves_the_call(self):
        def fail():
            raise ZeroDivisionError

        sigpp.call_later(0.01, fail)
        with self.assertRaises(ZeroDivisionError):
            time.sleep(60)


class Sending(unittest.TestCase):
    def test_errors(self):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        with self.assertRaises(ProcessLookupError):
            sigpp.sigqueue(child, signal.SIGUSR1, 0)
        with self.assertRaises(OSError):
            sigpp.sigqueue(ME, 4242, 0)


if __name__ == "__main__":
    unittest.main()
