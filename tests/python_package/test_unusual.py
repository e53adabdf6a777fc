"""What programs do beside the ordinary: the same by Python's own module and by sigpp's."""

import pathlib
import signal
import tempfile
import unittest

from programs import run

BLOCKING = """\
import os, queue, select, signal, socket, subprocess, threading, time
class Ended(Exception):
    pass
def handler(signum, frame):
    raise Ended
signal.signal(signal.SIGALRM, handler)
reader, _ = os.pipe()
ours, theirs = socket.socketpair()
lock = threading.Lock()
lock.acquire()
condition = threading.Condition()
forever = threading.Thread(target=threading.Event().wait, daemon=True)
forever.start()
cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
def in_condition():
    with condition:
        condition.wait()
for call in (
    lambda: time.sleep(1000), lambda: os.read(reader, 1), lock.acquire, cat.wait, forever.join,
    lambda: select.select([reader], [], []), lambda: select.poll().poll(), lambda: ours.recv(1),
    threading.Event().wait, queue.Queue().get, in_condition, signal.pause,
    lambda: signal.sigwaitinfo({signal.SIGRTMIN}),
    lambda: signal.sigtimedwait({signal.SIGRTMIN}, 1000),
):
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        call()
        print("it has returned")
    except Ended:
        pass
cat.communicate()
print("all have ended")
"""

FORK_IN_HANDLER = """\
import os, signal
def in_child(signum, frame):
    os._exit(7)
def handler(signum, frame):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGUSR2, in_child)
        signal.signal(signal.SIGUSR1, in_child)
        os.kill(os.getpid(), signal.SIGUSR2)
        os._exit(1)
    print(os.waitpid(child, 0)[1] >> 8)
signal.signal(signal.SIGUSR1, handler)
os.kill(os.getpid(), signal.SIGUSR1)
"""

REMOVES_ITSELF = """\
import os, signal
def handler(signum, frame):
    print("once")
    signal.signal(signum, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, handler)
os.kill(os.getpid(), signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR1)
"""

RELOADED = """\
import importlib, os, signal
def handler(signum, frame):
    print("heard")
signal.signal(signal.SIGUSR1, handler)
importlib.reload(signal)
os.kill(os.getpid(), signal.SIGUSR1)
print(signal.getsignal(signal.SIGUSR1) is handler)
try:
    import sigpp.signal
except ImportError:
    pass
else:
    importlib.reload(sigpp._switch)
    importlib.reload(sigpp)
    importlib.reload(sigpp.signal)
os.kill(os.getpid(), signal.SIGUSR1)
"""

IGNORED = """\
import os, signal
print(int(signal.getsignal(signal.SIGINT)), int(signal.getsignal(signal.SIGPIPE)))
os.kill(os.getpid(), signal.SIGINT)
"""

# sigpp starts each of them anew, by a line like that in the program.
PROCESSES = """\
import multiprocessing, os, signal, sys
try:
    import sigpp
    sigpp.install()
except ImportError:
    pass
def work(queue):
    heard = []
    signal.signal(signal.SIGTERM, lambda signum, frame: heard.append(signum))
    os.kill(os.getpid(), signal.SIGTERM)
    queue.put((heard, signal.getsignal(signal.SIGINT) is signal.default_int_handler))
def wait(queue):
    queue.put("waits")
    signal.pause()
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        process = context.Process(target=work, args=(queue,))
        process.start()
        print(method, *queue.get())
        process.join()
        waiter = context.Process(target=wait, args=(queue,))
        waiter.start()
        queue.get()
        waiter.terminate()
        waiter.join()
        print(process.exitcode, waiter.exitcode)
"""

AS_A_FILE = """\
import subprocess, sys
sys.exit(subprocess.run([sys.executable, "-B", *sys.argv[1:]]).returncode)
"""


class Unusual(unittest.TestCase):
    def same(self, program, said, status=0, *arguments):
        self.assertEqual(run(program, *arguments, sigpp=False), (said, status))
        self.assertEqual(run(program, *arguments, sigpp=True), (said, status))

    def test_an_exception_ends_every_blocking_call(self):
        self.same(BLOCKING, "all have ended\n")

    def test_fork_in_a_handler(self):
        self.same(FORK_IN_HANDLER, "7\n")

    def test_a_handler_that_removes_itself(self):
        self.same(REMOVES_ITSELF, "once\n")

    def test_modules_that_are_loaded_again(self):
        self.same(RELOADED, "heard\nTrue\nheard\n")

    def test_ctrl_c_that_is_ignored_from_the_start(self):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.same(IGNORED, "1 1\n")

    def test_processes_of_multiprocessing(self):
        said = "".join(f"{how} [15] True\n0 -15\n" for how in ("fork", "spawn", "forkserver"))
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "processes.py")
            file.write_text(PROCESSES.replace("import sigpp", "raise ImportError"), encoding="utf-8")
            self.assertEqual(run(AS_A_FILE, str(file), sigpp=False), (said, 0))
            file.write_text(PROCESSES, encoding="utf-8")
            self.assertEqual(run(AS_A_FILE, str(file), sigpp=False), (said, 0))


if __name__ == "__main__":
    unittest.main()
