#!/usr/bin/env python3
"""test_run_cases.py PROBE: the comparison goes red, and says why, on all that deserves it."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

PROBE = sys.argv.pop()
RUN = pathlib.Path(__file__).with_name("run_cases.py")


class RunCases(unittest.TestCase):
    def run_cases(self, text):
        """(exit status, output)"""
        with tempfile.TemporaryDirectory() as folder:
            cases = pathlib.Path(folder, "cases.txt")
            cases.write_text("[it]\n" + text, encoding="utf-8")
            command = [sys.executable, "-B", RUN, PROBE, cases]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def assert_green(self, text):
        status, output = self.run_cases(text)
        self.assertEqual((status, output.splitlines()[1:]), (0, []))

    def assert_red(self, text, reason):
        status, output = self.run_cases(text)
        self.assertEqual(status, 1)
        self.assertIn(reason, output)

    def test_the_same(self):
        self.assert_green("signal 10 A -> SIG_DFL\nraise_signal 10 -> None; A(10)\nstrsignal 10\n")

    def test_both_say_something_else(self):
        self.assert_red("strsignal 2 -> Hangup\n", "python said Interrupt, not Hangup")
        self.assert_red("strsignal 2 -> Hangup\n", "sigpp said Interrupt, not Hangup")

    def test_they_differ_where_they_should_not(self):
        self.assert_red("getsignal 32\n", "python said nothing, sigpp system_error EINVAL")
        self.assert_red("getsignal 32 -> nothing\n", "sigpp said system_error EINVAL, not nothing")

    def test_they_do_not_differ_where_they_should(self):
        self.assert_red("strsignal 2 -> Interrupt | None  # why\n", "sigpp said Interrupt, not None")
        self.assert_red("strsignal 2 -> None | Interrupt  # why\n", "python said Interrupt, not")

    def test_another_error_than_expected(self):
        self.assert_red("getsignal 65 -> OSError EINVAL\n", "python said ValueError, not OSError")
        self.assert_red("getsignal 65 -> ValueError | system_error EBADF # why\n", "not system_error")

    def test_a_difference_without_a_reason(self):
        self.assert_red("strsignal 2 -> a | b\n", "line 2: a difference without a reason")
        self.assert_red("python: strsignal 2\n", "line 2: a difference without a reason")

    def test_a_handler_that_does_not_run(self):
        self.assert_red("raise_signal 0 -> None; A(10)\n", "said None, not None; A(10)")

    def test_an_unknown_command(self):
        self.assert_red("no_such_command\n", "")

    def test_words_on_stderr(self):
        full = "signal 10 A -> SIG_DFL\nset_wakeup_fd wake -> -1\nfill\nraise_signal 10 -> None; A(10)\n"
        self.assert_red(full, "wrote to stderr")
        self.assert_red(full + "errors -> nothing\n", "not nothing")

    def test_a_wait_that_does_not_wait(self):
        self.assert_red("begin sigtimedwait 0 10\n", "python: it does not wait, it said None")

    def test_an_unexpected_end(self):
        self.assert_green("raise_signal 15 -> killed by SIGTERM\n")
        self.assert_red("raise_signal 15 -> None\n", "said killed by SIGTERM, not None")


unittest.main()
