#!/usr/bin/env python3
"""test_storm.py STORM: signals in masses; sigpp accounts for each, and asyncio does not."""

import pathlib
import re
import subprocess
import sys
import unittest

STORM = pathlib.Path(sys.argv.pop(1))
STORM_PY = pathlib.Path(__file__).parents[2] / "examples/storm.py"
ROW = re.compile(
    r"(?P<name>SIG\S+) +(?P<sent>\d+) +(?P<handled>\d+) +(?P<merged>\d+) +(?P<by_kernel>\d+)"
    r" +(?P<lost>-?\d+)(?P<order>  in order)?"
)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


class Storm(unittest.TestCase):
    def test_sigpp_loses_nothing(self):
        done = run(STORM)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        rows = [row.groupdict() for row in map(ROW.fullmatch, done.stdout.splitlines()) if row]
        self.assertEqual(
            [row.pop("name") for row in rows], ["SIGUSR1", "SIGUSR2", "SIGRTMIN", "SIGRTMIN+1"]
        )
        for row in rows:
            self.assertEqual(row["lost"], "0")
            self.assertGreater(int(row["handled"]), 0)
        for row in rows[2:]:
            self.assertEqual(row["handled"], row["sent"])
            self.assertEqual((row["merged"], row["by_kernel"]), ("0", "0"))
            self.assertTrue(row["order"])
        self.assertIn("\nSIGTERM was heard. ", "\n" + done.stdout)
        self.assertTrue(done.stdout.endswith("\nThe child was killed by SIGTERM.\n"))

    def test_asyncio_loses_signals_and_never_hears_the_sigterm(self):
        done = run(sys.executable, "-B", STORM_PY)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(
            done.stdout,
            r"\ASIGUSR1: sent 1000, handled \d{1,3}, lost \d+\.\n"
            r"SIGTERM: lost\.\n"
            r"The child does not end: killed by SIGKILL\.\n\Z",
        )


if __name__ == "__main__":
    unittest.main()
