"""What goes wrong with Python's own module, and does not with sigpp's: the same program by each."""

import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

from programs import Running, run

STORM = pathlib.Path(__file__).parents[2] / "examples/storm.py"

SLOW = """\
import signal, time
def slow(signum, frame):
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        pass
signal.signal(signal.SIGALRM, slow)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
signal.setitimer(signal.ITIMER_REAL, 0.02)
print(signal.sigtimedwait({signal.SIGUSR1}, 0.1))
"""

DEAF = """\
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("ready")
print("taken:", signal.sigwait({signal.SIGUSR1}))
"""

QUEUED = """\
import os, signal
calls = []
signal.signal(signal.SIGRTMIN, lambda signum, frame: calls.append(signum))
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
for _ in range(100):
    os.kill(os.getpid(), signal.SIGRTMIN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGRTMIN})
print(len(calls))
"""

FORKED = """\
import os, signal
reader, writer = os.pipe()
os.set_blocking(reader, False)
os.set_blocking(writer, False)
signal.signal(signal.SIGUSR1, lambda signum, frame: None)
signal.set_wakeup_fd(writer)
child = os.fork()
if child == 0:
    signal.raise_signal(signal.SIGUSR1)
    os._exit(0)
os.waitpid(child, 0)
try:
    print(os.read(reader, 10))
except BlockingIOError:
    print("nothing")
"""

MASKED = """\
import signal, subprocess, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
ask = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set())"
try:
    import sigpp
    how = {"preexec_fn": sigpp.prepare_child}
except ImportError:
    how = {}
subprocess.run([sys.executable, "-c", ask], **how)
"""

# The main thread blocks in a call, and blocks the signal, so that the kernel gives it to the other
# thread. That ends the call by itself after so long.
ELSEWHERE = """\
import os, select, signal, subprocess, sys, threading, time
name, patience = sys.argv[1], float(sys.argv[2])
main = threading.get_native_id()
reader, writer = os.pipe()
lock = threading.Lock()
lock.acquire()
released = False
sleeper = subprocess.Popen(["cat"], stdin=subprocess.PIPE)

class Handled(Exception):
    pass

handled = threading.Event()
def handler(signum, frame):
    handled.set()
    raise Handled

def sleeps():
    with open(f"/proc/self/task/{main}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"

def other():
    global released
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    blocks.wait()
    while not sleeps():
        pass
    os.kill(os.getpid(), signal.SIGUSR1)
    handled.wait(patience)
    released = True
    os.write(writer, b"x")
    lock.release()
    sleeper.stdin.close()

CALLS = {
    "acquire": lock.acquire,
    "read": lambda: os.read(reader, 1),
    "select": lambda: select.select([reader], [], []),
    "sleep": lambda: time.sleep(2 * patience),
    "wait": sleeper.wait,
}
blocks = threading.Event()
signal.signal(signal.SIGUSR1, handler)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
thread = threading.Thread(target=other)
thread.start()
try:
    try:
        blocks.set()
        CALLS[name]()
        while True:
            pass
    except Handled:
        print("too late" if released else "at once")
finally:
    thread.join()
    sleeper.wait()
"""


# select() asks for the descriptor after the interpreter has looked for signals; the signal comes
# there, and then select() blocks. The other thread ends that by itself after so long.
WINDOW = """\
import ctypes, functools, os, select, signal, sys, threading
patience = float(sys.argv[1])
raise_signal = ctypes.CDLL(None)["raise"]
reader, writer = os.pipe()
os.dup2(reader, 0)
released = False

class Handled(Exception):
    pass

handled = threading.Event()
def handler(signum, frame):
    handled.set()
    raise Handled

class Zero:
    fileno = functools.partial(raise_signal, signal.SIGUSR1)  # which is 0

def release():
    global released
    handled.wait(patience)
    released = True
    os.write(writer, b"x")

signal.signal(signal.SIGUSR1, handler)
thread = threading.Thread(target=release)
thread.start()
try:
    select.select([Zero], [], [])
    while True:
        pass
except Handled:
    print("too late" if released else "at once")
thread.join()
"""


class Fixed(unittest.TestCase):
    def both(self, program, stock, sigpp, *arguments):
        self.assertEqual(run(program, *arguments, sigpp=False), (stock, 0))
        self.assertEqual(run(program, *arguments, sigpp=True), (sigpp, 0))

    def test_a_handler_that_outlives_the_deadline_of_sigtimedwait(self):
        said, status = run(SLOW, sigpp=False)
        self.assertEqual(status, 0)
        self.assertIn("struct_siginfo(", said)  # made of memory that nobody has written
        self.assertEqual(run(SLOW, sigpp=True), ("None\n", 0))

    def test_sigwait_is_deaf_to_ctrl_c(self):
        with Running(DEAF, sigpp=False) as program:
            self.assertEqual(program.line(), "ready")
            program.wait_until_taken()
            program.send(signal.SIGINT)
            program.wait_until_taken()
            self.assertIsNone(program.process.poll())  # sleeps on
            program.send(signal.SIGUSR1)
            self.assertEqual(program.end(), ("", -signal.SIGINT))
        with Running(DEAF, sigpp=True) as program:
            self.assertEqual(program.line(), "ready")
            program.send(signal.SIGINT)
            self.assertEqual(program.end(), ("", -signal.SIGINT))

    def test_asyncio_in_a_storm(self):
        program = STORM.read_text(encoding="utf-8")
        child = '[sys.executable, __file__, "child"]'
        self.assertEqual(program.count(child), 1)
        said = []
        for switch in ("", '"-m", "sigpp", '):
            with tempfile.TemporaryDirectory() as folder:
                file = pathlib.Path(folder, "storm.py")
                file.write_text(
                    program.replace(child, f'[sys.executable, {switch}__file__, "child"]'),
                    encoding="utf-8",
                )
                done = subprocess.run(
                    [sys.executable, "-B", file], stdout=subprocess.PIPE, text=True, timeout=120
                )
                said.append(done.stdout)
        self.assertIn("SIGTERM: lost.\n", said[0])
        self.assertEqual(
            said[1],
            "SIGUSR1: sent 1000, handled 1000, lost 0.\n"
            "SIGTERM: heard.\n"
            "The child has ended.\n",
        )

    def test_a_hundred_queued_signals(self):
        self.both(QUEUED, "1\n", "100\n")

    def test_a_forked_childs_signal_in_its_parents_wakeup_fd(self):
        self.both(FORKED, f"{bytes([signal.SIGUSR1])}\n", "nothing\n")

    def test_a_child_inherits_the_mask(self):
        # With the stock module `sigpp` is not imported: it would be there.
        stock = MASKED.replace("import sigpp", "raise ImportError")
        self.assertEqual(run(stock, sigpp=False), ("False\n", 0))
        self.assertEqual(run(MASKED, sigpp=True), ("True\n", 0))

    def test_a_signal_that_another_thread_takes(self):
        """https://github.com/python/cpython/issues/85300"""
        for call in ("acquire", "read", "select", "sleep", "wait"):
            with self.subTest(call):
                self.assertEqual(run(ELSEWHERE, call, "0.5", sigpp=False), ("too late\n", 0))
                self.assertEqual(run(ELSEWHERE, call, "20", sigpp=True), ("at once\n", 0))

    def test_a_signal_just_before_a_call_blocks(self):
        self.assertEqual(run(WINDOW, "0.5", sigpp=False), ("too late\n", 0))
        self.assertEqual(run(WINDOW, "20", sigpp=True), ("at once\n", 0))


if __name__ == "__main__":
    unittest.main()
