#!/usr/bin/env python3
"""The check of the reference goes red, and says why, on all that deserves it."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = "docs/reference/python-to-sigpp.md"
ALARM = "| `signal.alarm(seconds)` | `sigpp::alarm(seconds)` | [timers.cpp]"


class CheckReference(unittest.TestCase):
    """Each test spoils a copy of the real one."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for part in ("docs/reference", "examples/reference", "tests/python/cases"):
            shutil.copytree(ROOT / part, self.root / part)

    def assert_red(self, *reasons):
        command = [sys.executable, "-B", HERE / "check_reference.py", self.root]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (1, ""), done.stdout)
        for line, reason in zip(done.stdout.splitlines(), reasons, strict=True):
            self.assertIn(reason, line)

    def replace(self, path, old, new):
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        self.assertIn(old, text)
        file.write_text(text.replace(old, new), encoding="utf-8")

    def test_a_missing_row(self):
        self.replace(PAGE, ALARM, "| " + ALARM)
        self.assert_red("no row of alarm")

    def test_a_row_of_nothing(self):
        self.replace(PAGE, "signal.alarm(", "signal.alert(")
        self.assert_red("no row of alarm", "there is no signal.alert")

    def test_a_second_row(self):
        self.replace(PAGE, "`signal.SIGUSR2`", "`signal.SIGUSR1`")
        self.assert_red("a second row of SIGUSR1", "no row of SIGUSR2")

    def test_a_row_without_a_snippet(self):
        self.replace(PAGE, ALARM, ALARM.replace("[timers.cpp]", "timers.cpp"))
        self.assert_red("alarm links no snippet")

    def test_a_row_without_c_plus_plus(self):
        self.replace(PAGE, "`sigpp::alarm(seconds)`", "an alarm")
        self.assert_red("there is no C++ beside alarm")

    def test_a_snippet_that_shows_something_else(self):
        self.replace("examples/reference/timers.cpp", "sigpp::alarm(", "::alarm(")
        self.replace("examples/reference/timers.cpp", "alarm,", "")
        self.replace("examples/reference/timers.cpp", "alarm", "al_arm")
        self.assert_red("the snippet does not show alarm")

    def test_a_snippet_that_nothing_links(self):
        (self.root / "examples/reference/new.cpp").write_text("\n// Prints:\n", encoding="utf-8")
        self.assert_red("new.cpp: docs/reference/python-to-sigpp.md does not link it")

    def test_a_snippet_that_does_not_say_what_it_prints(self):
        self.replace("examples/reference/timers.cpp", "// Prints:", "//")
        self.assert_red("timers.cpp: does not say what it prints")

    def test_a_function_that_is_not_compared(self):
        self.replace("tests/python/cases/timers.txt", "\nthread alarm", "\nalarm")
        self.assert_red("nothing compares alarm from another thread")


unittest.main()
