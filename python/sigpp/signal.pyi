from collections.abc import Callable
from signal import *
from signal import Handlers
from types import FrameType
from typing import Any

from sigpp import signal_info

# What Python's module does not know: the third argument.
_HANDLER = (
    Callable[[int, FrameType | None], Any]
    | Callable[[int, FrameType | None, signal_info], Any]
    | int
    | Handlers
    | None
)

def signal(signalnum: int, handler: _HANDLER) -> _HANDLER: ...
def getsignal(signalnum: int) -> _HANDLER: ...
