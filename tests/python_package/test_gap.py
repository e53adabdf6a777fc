"""The instant in which CPython's own signal() has changed the system's action, and sigpp has not put
it back yet. gap.cpp sends a signal in it."""

import os
import signal
import unittest
from unittest import mock

from programs import run
from test_ends import EVERYTHING

GAP = os.environ["SIGPP_GAP"]

STREAM = """\
import ctypes, os, sys, sigpp
from sigpp import signal
gap = ctypes.CDLL(None)
calls = []
actions = {"SIG_DFL": signal.SIG_DFL, "SIG_IGN": signal.SIG_IGN, "function": lambda *_: calls.append(1)}
stream = sigpp.stream([signal.SIGUSR1])
gap.gap_send(signal.SIGUSR1)
for name in sys.argv[1:]:
    signal.signal(signal.SIGUSR1, actions[name])
    assert signal.getsignal(signal.SIGUSR1) == actions[name]
gap.gap_send(0)
got = 0
while stream.try_next():
    got += 1
print(gap.gap_sent(), got, len(calls))
stream.close()
os.kill(os.getpid(), signal.SIGUSR1)
"""

BEFORE = "import signal\nsignal.signal(16, print)\n"
DOORBELL = "import ctypes\nctypes.CDLL(None).gap_send(16)\n"


def sent_in_the_gap(program, *arguments):
    with mock.patch.dict(os.environ, LD_PRELOAD=GAP):
        return run(program, *arguments, sigpp=False)


class Gap(unittest.TestCase):
    def test_a_function_beside_a_stream(self):
        self.assertEqual(sent_in_the_gap(STREAM, "function"), ("1 1 1\n", 0))

    def test_no_function_beside_a_stream(self):
        for action, end in (("SIG_IGN", 0), ("SIG_DFL", -signal.SIGUSR1)):
            self.assertEqual(sent_in_the_gap(STREAM, action), ("1 1 0\n", end))

    def test_one_after_the_other(self):
        actions = ("function", "SIG_IGN", "SIG_DFL", "function", "SIG_IGN")
        self.assertEqual(sent_in_the_gap(STREAM, *actions), ("1 1 1\n", 0))

    def test_the_doorbell(self):
        self.assertEqual(sent_in_the_gap(DOORBELL + EVERYTHING), ("end\n", 0))

    def test_the_doorbell_that_had_a_handler(self):
        self.assertEqual(sent_in_the_gap(BEFORE + DOORBELL + EVERYTHING), ("end\n", 0))


if __name__ == "__main__":
    unittest.main()
