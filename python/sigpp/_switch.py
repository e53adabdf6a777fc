"""How sigpp's functions come to stand where Python's own are looked for."""

import atexit
import enum
import os
import signal as stdlib
import sys
import types

from sigpp import _core

stock = sys.modules["_signal"]  # CPython's own, in C; `signal` is a thin layer of Python over it

OURS = (
    "getsignal",
    "pause",
    "pthread_sigmask",
    "raise_signal",
    "set_wakeup_fd",
    "siginterrupt",
    "signal",
    "sigtimedwait",
    "sigwait",
    "sigwaitinfo",
)


WHOLE = ("getsignal", "signal")  # those that need no layer of Python over them


def make():
    """CPython's `_signal` with our functions in it."""
    module = types.ModuleType("_signal", stock.__doc__)
    vars(module).update(vars(stock))
    vars(module).update((name, getattr(_core, name)) for name in OURS)
    return module


ours = make()


def activate():
    """From here on it is sigpp that hears the signals. Only the main thread can say so."""
    try:
        if not _core.activate(stock, stdlib.SIG_DFL, stdlib.SIG_IGN):  # it is: this is a reload
            return
    except ValueError:  # as signal.signal() says it; `threading` is not to be imported for this
        return
    atexit.register(_core.deactivate)
    os.register_at_fork(after_in_child=_core.after_fork)


def install():
    """Give the whole program sigpp's functions: `signal`, imported before or after, has them.

    Call it on the main thread. It can be called again. What `from signal import pause` and its like
    have taken out of the module before stays what it was.
    """
    _core.require_active()
    sys.modules["_signal"] = ours
    for name in OURS:
        if getattr(stdlib, name) is getattr(stock, name):
            setattr(stdlib, name, getattr(ours, name))
    for name in WHOLE:
        if getattr(getattr(stdlib, name), "__module__", None) == "signal":
            setattr(stdlib, name, getattr(ours, name))
    stdlib._signal = ours  # what the module's own functions call


def become(namespace):
    """Make a module's namespace one of Python's `signal`, over our functions."""
    import importlib.util  # not for who only installs

    spec = importlib.util.find_spec("signal")
    before = sys.modules["_signal"]
    sys.modules["_signal"] = ours
    try:
        exec(spec.loader.get_code("signal"), namespace)  # pylint: disable=exec-used
    finally:
        sys.modules["_signal"] = before
    for name in WHOLE:
        namespace[name] = getattr(ours, name)
    # The same SIGINT in both modules.
    for name, value in vars(stdlib).items():
        if isinstance(value, (enum.Enum, enum.EnumMeta)):
            namespace[name] = value


activate()
