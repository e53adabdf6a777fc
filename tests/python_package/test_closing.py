"""Streams and timeouts that are given up while somebody waits for them. In processes: see there."""

import asyncio
import errno
import itertools
import os
import signal as stdlib
import socket
import sys
import threading
import unittest

import sigpp
from sigpp import signal

ME = os.getpid()


class Waiting(threading.Thread):
    """Runs f(), which waits in the stream; made when it does."""

    def __init__(self, stream, f):
        super().__init__()
        self.f, self.result = f, None
        self.start()
        while self.is_alive():
            try:
                stream.try_next()
            except OSError as error:
                assert error.errno == errno.EBUSY
                break

    def run(self):
        try:
            self.result = self.f()
        except ValueError as error:
            self.result = str(error)

    def end(self):
        self.join()
        return self.result


class Threads(unittest.TestCase):
    def setUp(self):
        self.stream = sigpp.stream([signal.SIGUSR1])

    def test_next(self):
        for wait in (self.stream.next, lambda: self.stream.next(60)):
            self.stream = sigpp.stream([signal.SIGUSR1])
            waiting = Waiting(self.stream, self.stream.next)
            self.stream.close()
            self.assertEqual(waiting.end(), "the stream is closed")
            self.assertEqual(stdlib.getsignal(signal.SIGUSR1), signal.SIG_DFL)

    def test_for_is_over(self):
        waiting = Waiting(self.stream, lambda: [info.signum for info in self.stream])
        self.stream.close()
        self.assertEqual(waiting.end(), [])

    def test_often(self):
        for _ in range(300):
            stream = sigpp.stream([signal.SIGUSR1])
            waiting = Waiting(stream, lambda: [info.signum for info in stream])
            os.kill(ME, signal.SIGUSR1)
            stream.close()
            self.assertLessEqual(len(waiting.end()), 1)
            # What nobody has had is sent again, to what there is now.
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    def test_two(self):
        waiting = Waiting(self.stream, self.stream.next)
        for use in (self.stream.next, self.stream.try_next, self.stream.fileno):
            with self.assertRaises(OSError) as raised:
                use()
            self.assertEqual(raised.exception.errno, errno.EBUSY)
        self.assertEqual(self.stream.dropped, 0)
        os.kill(ME, signal.SIGUSR1)
        self.assertEqual(waiting.end().signum, signal.SIGUSR1)
        self.assertIsNone(self.stream.try_next())

    def test_by_a_handler_of_the_thread_that_waits(self):
        signal.signal(signal.SIGALRM, lambda *_: self.stream.close())
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        self.assertEqual(list(self.stream), [])
        self.assertTrue(self.stream.closed)

    def test_while_a_handler_of_the_thread_that_waits_runs(self):
        def handler(signum, frame):
            thread = threading.Thread(target=self.stream.close)
            thread.start()
            thread.join()
            done.append(sum(range(1000)))

        done = []
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        self.assertEqual(list(self.stream), [])
        self.assertEqual(done, [499500])

    def test_by_a_handler_that_raises(self):
        def handler(signum, frame):
            self.stream.close()
            raise ZeroDivisionError

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with self.assertRaises(ZeroDivisionError):
            self.stream.next()
        sigpp.sleep(0.001)  # nothing is left that would interrupt it

    def test_twice(self):
        self.stream.close()
        self.stream.close()
        self.assertEqual(list(self.stream), [])
        for use in (type(self.stream).next, type(self.stream).fileno):
            with self.assertRaisesRegex(ValueError, "closed"):
                use(self.stream)


class Tasks(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        self.stream = sigpp.stream([signal.SIGUSR1])

    async def begin(self):
        async def wait():
            return [info.signum async for info in self.stream]

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        return task

    async def test_for_is_over(self):
        task = await self.begin()
        self.stream.close()
        self.assertEqual(await task, [])
        # No trace of the descriptor is left, whose number is another one's now.
        one, other = socket.socketpair()
        with one, other:
            heard = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().add_reader(one.fileno(), heard.set_result, None)
            other.send(b"x")
            await heard
            asyncio.get_running_loop().remove_reader(one.fileno())

    async def test_one_that_is_closed(self):
        self.stream.close()
        self.assertEqual([info async for info in self.stream], [])

    async def test_by_another_thread(self):
        sys.setswitchinterval(1e-6)
        for _ in range(100):
            task = await self.begin()
            thread = threading.Thread(target=self.stream.close)
            thread.start()
            self.assertEqual(await task, [])
            thread.join()
            self.stream = sigpp.stream([signal.SIGUSR1])

    async def test_two(self):
        task = await self.begin()
        with self.assertRaises(OSError) as raised:
            await self.stream.__anext__()
        self.assertEqual(raised.exception.errno, errno.EBUSY)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        os.kill(ME, signal.SIGUSR1)
        self.assertEqual((await self.stream.__anext__()).signum, signal.SIGUSR1)


class Loops(unittest.TestCase):
    def test_a_loop_that_has_ended(self):
        stream = sigpp.stream([signal.SIGUSR1])

        async def wait():
            await stream.__anext__()

        loop = asyncio.new_event_loop()
        task = loop.create_task(wait())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        stream.close()
        self.assertFalse(task.done())
        task._log_destroy_pending = False


def on_a_thread(work):
    """While the main thread waits without the GIL, where timeouts run out."""
    sys.setswitchinterval(1e-4)  # and waits for it
    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        sigpp.sleep(0.01)


class Timeouts(unittest.TestCase):
    def test_one_that_runs_out_as_it_ends(self):
        def work():
            for length in itertools.cycle(range(0, 20_000, 20)):
                try:
                    with sigpp.timeout(50e-6):
                        for _ in range(length):
                            pass
                except TimeoutError:
                    over.append(length)
                    if len(over) > 300:
                        break
            done.append(1)  # and no TimedOut has come between the blocks

        over, done = [], []
        on_a_thread(work)
        self.assertEqual(done, [1])

    def test_one_that_is_over_at_once(self):
        def work():
            for _ in range(300):
                try:
                    with sigpp.timeout(0):
                        sigpp.sleep(60)
                except TimeoutError:
                    pass
            sigpp.sleep(0.001)
            done.append(1)

        done = []
        on_a_thread(work)
        work()
        self.assertEqual(done, [1, 1])

    def test_one_that_is_dropped_as_it_runs_out(self):
        def work():
            for length in range(1000):
                try:
                    scope = sigpp.timeout(length % 100 * 1e-6)
                    scope.__enter__()
                    for _ in range(length % 1000):
                        pass
                    del scope
                except (sigpp.TimedOut, TimeoutError, AttributeError):
                    pass

        def patient():
            while True:  # as it may come in the last line of work()
                try:
                    return work()
                except sigpp.TimedOut:
                    pass

        on_a_thread(patient)


if __name__ == "__main__":
    unittest.main()
