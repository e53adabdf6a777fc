"""The guide's program does what the guide says."""

import pathlib
import subprocess
import sys
import unittest

PROGRAM = pathlib.Path(__file__).parents[2] / "examples/python/users.py"
SAYS = """\
from me: True, value 42
[0, 1, 2, 3, 4]
timed out
later
SIGHUP
SIGTERM
"""


class Guide(unittest.TestCase):
    def test_it(self):
        command = [sys.executable, "-B", PROGRAM]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
        self.assertEqual((done.stdout, done.returncode), (SAYS, 0))


if __name__ == "__main__":
    unittest.main()
