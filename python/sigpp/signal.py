"""Python's `signal` module over sigpp: `import sigpp.signal as signal`.

The same names, arguments and errors. A handler that takes three arguments, f(signum, frame, info),
gets what the kernel knows about the arrival: see sigpp.signal_info.
"""

from sigpp import _switch

_switch.become(globals())
