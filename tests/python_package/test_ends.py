"""Ends: of the interpreter, of a forked parent's state; and where sigpp refuses to begin."""

import signal
import sys
import unittest

from programs import Running, run

EVERYTHING = """\
import os, threading, sigpp, atexit
from sigpp import signal
signal.signal(signal.SIGUSR1, lambda signum, frame: None)
signal.signal(signal.SIGTERM, lambda signum, frame, info: print("SIGTERM"))
signal.signal(16, lambda signum, frame: None)
kept = [sigpp.subscribe([signal.SIGHUP], print), sigpp.stream([signal.SIGUSR2])]
kept += [sigpp.call_later(60, print), sigpp.call_every(0.0001, lambda: None)]
os.kill(os.getpid(), signal.SIGUSR2)
for work in (lambda: sigpp.sleep(60), kept[1].next, lambda: signal.sigwait([signal.SIGALRM])):
    threading.Thread(target=work, daemon=True).start()
scope = sigpp.timeout(60)
scope.__enter__()
print("end")
"""

AT_EXIT = """\
import atexit, os, signal
def last():
    assert signal.signal(signal.SIGHUP, signal.SIG_IGN) == signal.SIG_DFL
    os.kill(os.getpid(), signal.SIGHUP)
    signal.signal(signal.SIGUSR2, lambda signum, frame: print("SIGUSR2"))
    os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGTERM)
atexit.register(last)  # runs when sigpp has gone
import sigpp
sigpp.install()
signal.signal(signal.SIGUSR1, lambda signum, frame: print("SIGUSR1"))
print("end")
"""

PENDING = """\
import os, signal, threading, sigpp
sigpp.install()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
signal.signal(signal.SIGTERM, lambda signum, frame: print("SIGTERM"))
os.kill(os.getpid(), signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
"""

FORK = """\
import os, sigpp
from sigpp import signal
calls = []
signal.signal(signal.SIGUSR1, lambda signum, frame, info: calls.append(info.pid))
stream = sigpp.stream([signal.SIGUSR2])
os.kill(os.getpid(), signal.SIGUSR2)
sigpp.call_later(0.01, calls.append, "timer")
child = os.fork()
if child == 0:
    assert stream.try_next() is None
    os.kill(os.getpid(), signal.SIGUSR2)
    assert stream.next().pid == os.getpid()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert os.getpid() in calls
    while "timer" not in calls:
        pass
    try:
        with sigpp.timeout(0.01):
            sigpp.sleep(60)
    except TimeoutError:
        print("child", flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert stream.next().pid == os.getpid()
while "timer" not in calls:
    pass
assert calls == ["timer"]
print("parent")
"""

FORK_IN_A_THREAD = """\
import warnings
warnings.simplefilter("ignore")  # forking with threads
import os, threading, sigpp
from sigpp import signal
calls = []
signal.signal(signal.SIGUSR1, lambda *_: calls.append(1))
def work():
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert calls == [1]
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print("done")
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""

SUBINTERPRETER = """\
import sigpp
sigpp.install()
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
other = interpreters.create()
try:
    failed = interpreters.run_string(other, "import sigpp")
    print(failed.formatted if failed else "imported")
except interpreters.RunFailedError as error:
    print(error)
from sigpp import signal
signal.signal(signal.SIGUSR1, lambda signum, frame, info: print("still here"))
signal.raise_signal(signal.SIGUSR1)
interpreters.destroy(other)
"""

NOT_THE_MAIN_THREAD = """\
import threading
def work():
    import sigpp
    for use in (sigpp.install, lambda: sigpp.stream([1]), lambda: sigpp.timeout(1)):
        try:
            use()
        except RuntimeError as error:
            print(error)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""

ARGUMENTS = """\
import signal, sys
print(sys.argv, __name__, signal._signal is sys.modules["_signal"])
sys.exit(3)
"""


class Ends(unittest.TestCase):
    def test_with_everything_in_use(self):
        for _ in range(5):
            self.assertEqual(run(EVERYTHING, sigpp=True), ("end\n", 0))

    def test_handlers_are_pythons_again_at_the_very_end(self):
        self.assertEqual(run(AT_EXIT, sigpp=False), ("end\nSIGUSR2\nSIGUSR1\n", -signal.SIGTERM))

    def test_what_has_come_is_handled(self):
        self.assertEqual(run(PENDING, sigpp=False), ("SIGTERM\n", 0))

    def test_uncaught_ctrl_c_kills(self):
        program = "import time\nprint('ready')\ntime.sleep(60)"
        with Running(program, sigpp=True) as running:
            running.line()
            running.send(signal.SIGINT)
            self.assertEqual(running.end(), ("", -signal.SIGINT))

    def test_arguments(self):
        said = "['-c', 'one', 'two'] __main__ True\n"
        self.assertEqual(run(ARGUMENTS, "one", "two", sigpp=True), (said, 3))


class Forks(unittest.TestCase):
    def test_fork(self):
        self.assertEqual(run(FORK, sigpp=False), ("child\nparent\n", 0))

    def test_in_another_thread(self):
        self.assertEqual(run(FORK_IN_A_THREAD, sigpp=False), ("done\n", 0))


class Refused(unittest.TestCase):
    def test_in_a_subinterpreter(self):
        if sys.version_info < (3, 9):
            self.skipTest("run_string fails without saying why")
        said, status = run(SUBINTERPRETER, sigpp=False)
        self.assertRegex(said, "ImportError.*(main interpreter only|subinterpreters)")
        self.assertTrue(said.endswith("still here\n"), said)
        self.assertEqual(status, 0)

    def test_on_another_thread(self):
        said = "sigpp is not active: call sigpp.install() on the main thread first\n"
        self.assertEqual(run(NOT_THE_MAIN_THREAD, sigpp=False), (3 * said, 0))


if __name__ == "__main__":
    unittest.main()
