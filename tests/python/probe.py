#!/usr/bin/env python3
"""Says what Python's signal module does: one command per line comes in, one reply goes out.

probe.cpp says the same of sigpp; run_cases.py asks both. A reply is what the function returned, or
the class of what it raised, and then the handlers that have run since the last one: "None; A(10)".
"""

import ctypes
import errno
import os
import signal
import sys
import threading
import time
import warnings

WAKE, DATA = map(int, sys.argv[1:])
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.sigqueue.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)

SI_TKILL = -6  # Linux kernels differ about whether pthread_kill has this or SI_USER, which is 0

log = []
children = []
sent_again = False
deadline = 0.0  # when the last sigtimedwait has certainly ended


class HandlerError(Exception):
    """What the handler "raises" raises."""


def noting(name):
    def handler(signum, frame):
        log.append(f"{name}({signum})")

    return handler


def raises(signum, frame):
    log.append(f"raises({signum})")
    raise HandlerError


def again(signum, frame):
    """Sends its own signal the first time."""
    global sent_again
    log.append(f"again({signum})")
    if not sent_again:
        sent_again = True
        signal.raise_signal(signum)
        log.append("end of again")


def slow(signum, frame):
    """Takes longer than the sigtimedwait that it interrupts."""
    log.append(f"slow({signum})")
    while time.monotonic() < deadline:
        pass


HANDLERS = {
    "SIG_DFL": signal.SIG_DFL,
    "SIG_IGN": signal.SIG_IGN,
    "default_int_handler": signal.default_int_handler,
    "A": noting("A"),
    "B": noting("B"),
    "raises": raises,
    "again": again,
    "slow": slow,
    "nothing": None,
    "5": 5,
}


# --- words in, words out ------------------------------------------------------------------------


def number(word):
    """An int if it looks like one."""
    try:
        return int(word)
    except ValueError:
        return float(word)


def numbers(words):
    return signal.valid_signals() if words == ["valid"] else [int(word) for word in words]


def descriptor(word):
    return {"wake": WAKE, "data": DATA}.get(word) or int(word)


def name_of(handler):
    return next((name for name, known in HANDLERS.items() if known is handler), "another")


def text_of(signals):
    return "{" + ", ".join(str(int(n)) for n in sorted(signals)) + "}"


def who(pid):
    known = {0: "0", os.getpid(): "self", os.getppid(): "runner"}
    return "child" if pid in children else known.get(pid, "another")


def describe(info):
    if info is None:
        return "None"
    uid = "me" if info.si_uid == os.getuid() and info.si_pid else info.si_uid
    code = 0 if info.si_code == SI_TKILL else info.si_code
    text = f"signo {info.si_signo} code {code} errno {info.si_errno}"
    text += f" pid {who(info.si_pid)} uid {uid}"
    return text + (f" status {info.si_status}" if info.si_signo == signal.SIGCHLD else "")


def timer(value):
    """The delay in whole seconds, since time passes; the interval in microseconds."""
    delay, interval = value
    return f"({delay:.0f} s, {interval * 1e6:.0f} us)"


def target(word):
    """A process to send to."""
    if word == "gone":
        return ended_child(0)
    return os.getpid() if word == "self" else int(word)


def pidfd(word):
    if word in ("self", "closed"):
        fd = os.pidfd_open(os.getpid())
        if word == "closed":
            os.close(fd)
        return fd
    child = os.fork()
    if child == 0:
        os._exit(0)
    fd = os.pidfd_open(child)
    os.waitpid(child, 0)
    return fd


def ended_child(status, reap=True):
    child = os.fork()
    if child == 0:
        os._exit(status)
    children.append(child)
    if reap:
        os.waitpid(child, 0)
    return child


# --- commands -----------------------------------------------------------------------------------


def pthread_kill(whom, signum):
    if whom == "self":
        return signal.pthread_kill(threading.get_ident(), number(signum))
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        signal.pthread_kill(other.ident, number(signum))
    finally:
        stop.set()
        other.join()
    return None


def read(fd):
    """read(2) by code that knows nothing of signals."""
    byte = ctypes.create_string_buffer(1)
    if LIBC.read(descriptor(fd), byte, 1) < 0:
        raise OSError(ctypes.get_errno(), "read")
    return byte.raw.decode()


def foreign(signum):
    """A C handler, installed behind the module's back."""
    LIBC.signal(int(signum), ctypes.cast(LIBC.abs, ctypes.c_void_p))


def set_wakeup_fd(fd, warn="warn"):
    old = signal.set_wakeup_fd(descriptor(fd), warn_on_full_buffer=warn == "warn")
    return "wake" if old == WAKE else old


def sigqueue(whom, signum, value):
    if LIBC.sigqueue(target(whom), int(signum), int(value)) < 0:
        raise OSError(ctypes.get_errno(), "sigqueue")


def fork_raise(signum):
    child = os.fork()
    if child == 0:
        signal.raise_signal(int(signum))
        os._exit(0)
    os.waitpid(child, 0)


def fires(which, seconds):
    signal.setitimer(int(which), float(seconds))
    while not log:
        pass


def sigtimedwait(seconds, *signums):
    global deadline
    deadline = time.monotonic() + number(seconds) + 0.1
    return describe(signal.sigtimedwait(numbers(list(signums)), number(seconds)))


def raise_signals(*signums):
    # By a library that keeps the interpreter's lock: the main thread shall find all of them.
    library = ctypes.PyDLL(None)
    for signum in signums:
        getattr(library, "raise")(int(signum))


COMMANDS = {
    "Signals": lambda n: signal.Signals(int(n)).name,
    "Signals_of": lambda name: int(signal.Signals[name]),
    "alarm": lambda seconds: signal.alarm(number(seconds)),
    "check": lambda: None,
    "close": lambda fd: os.close(descriptor(fd)),
    "constant": lambda name: int(getattr(signal, name)),
    "default_int_handler": lambda n: signal.default_int_handler(int(n), None),
    "ended_child": lambda status: ended_child(int(status), reap=False) and None,
    "fires": fires,
    "foreign": foreign,
    "fork_raise": fork_raise,
    "getitimer": lambda which: timer(signal.getitimer(int(which))),
    "getsignal": lambda n: name_of(signal.getsignal(number(n))),
    "kill": lambda whom, n: os.kill(target(whom), number(n)),
    "killpg": lambda group, n: os.killpg(os.getpgid(target(group)), number(n)),
    "pause": signal.pause,
    "pidfd_send_signal": lambda fd, n, flags="0": signal.pidfd_send_signal(
        pidfd(fd) if fd.isalpha() else int(fd), number(n), None, int(flags)
    ),
    "pthread_kill": pthread_kill,
    "pthread_sigmask": lambda how, *ns: text_of(
        signal.pthread_sigmask(getattr(signal, how, 1700), numbers(list(ns)))
    ),
    "raise_signal": lambda n: signal.raise_signal(number(n)),
    "raise_signals": raise_signals,
    "read": read,
    "set_wakeup_fd": set_wakeup_fd,
    "setitimer": lambda which, *lengths: timer(
        signal.setitimer(int(which), *(float(length) for length in lengths))
    ),
    "siginterrupt": lambda n, flag: signal.siginterrupt(number(n), flag == "True"),
    "signal": lambda n, handler: name_of(signal.signal(number(n), HANDLERS[handler])),
    "sigpending": lambda: text_of(signal.sigpending()),
    "sigqueue": sigqueue,
    "sigtimedwait": sigtimedwait,
    "sigwait": lambda *ns: int(signal.sigwait(numbers(list(ns)))),
    "sigwaitinfo": lambda *ns: describe(signal.sigwaitinfo(numbers(list(ns)))),
    "strsignal": lambda n: signal.strsignal(number(n)),
    "valid_signals": lambda: text_of(signal.valid_signals()),
}


def result_of(words):
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            result = str(COMMANDS[words[0]](*words[1:]))
        return "; ".join([result, *(warning.category.__name__ for warning in warned)])
    except signal.ItimerError as error:
        return f"ItimerError {errno.errorcode[error.errno]}"
    except OSError as error:
        return f"OSError {errno.errorcode[error.errno]}"
    except (HandlerError, KeyboardInterrupt, OverflowError, TypeError, ValueError) as error:
        return type(error).__name__


def on_thread(words):
    results = []
    thread = threading.Thread(target=lambda: results.append(result_of(words)))
    thread.start()
    thread.join()
    return results[0]


def main():
    global log
    for line in sys.stdin:
        words = line.split()
        if words[0] == "begin":
            print("begun", flush=True)
            del words[0]
        result = on_thread(words[1:]) if words[0] == "thread" else result_of(words)
        ran, log = log, []
        print("; ".join([result, *ran]), flush=True)


main()
