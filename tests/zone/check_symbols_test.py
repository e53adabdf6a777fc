#!/usr/bin/env python3
"""check_symbols_test.py NM OBJECT: the check goes red, and says why, on all that deserves it.

OBJECT calls malloc, from an inline function that was not inlined.
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).with_name("check_symbols.py")
NM, OBJECT = sys.argv[1:3]


class CheckSymbols(unittest.TestCase):
    def check(self, allowed, platform="linux"):
        """(exit status, output) of the check of OBJECT against the list `allowed`."""
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(allowed)
            file.flush()
            command = [sys.executable, CHECK, "--nm", NM, "--platform", platform]
            command += ["--allowed", file.name, OBJECT]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def assert_red(self, reason, allowed, platform="linux"):
        status, output = self.check(allowed, platform)
        self.assertEqual(status, 1)
        self.assertIn(reason, output)

    def assert_not_said(self, reason, allowed, platform="linux"):
        self.assertNotIn(reason, self.check(allowed, platform)[1])

    def test_symbol_that_is_not_on_the_list(self):
        self.assert_red("malloc is not on the list", "# nothing\n")
        self.assert_not_said("malloc is not", "malloc  # proof: none, this is a test\n")

    def test_symbol_of_the_other_platform(self):
        line = "malloc [posix]  # proof: none, this is a test\n"
        self.assert_red("malloc is not on the list", line, "linux")
        self.assert_not_said("malloc is not", line, "posix")

    def test_line_without_proof(self):
        self.assert_red("malloc has no proof", "malloc\n")
        self.assert_red("malloc has no proof", "malloc  # proof:\n")
        self.assert_red("not of the form", "malloc  # it is fine\n")

    def test_line_that_nothing_needs(self):
        self.assert_red("write is not needed", "write  # proof: POSIX.1-2017 2.4.3\n")
        self.assert_red("write is not needed", "write [linux]  # proof: POSIX.1-2017 2.4.3\n")
        self.assert_not_said("write is not", "write [any]  # proof: POSIX.1-2017 2.4.3\n")
        self.assert_not_said("write is not", "write [posix]  # proof: POSIX.1-2017 2.4.3\n")

    def test_line_twice_and_unknown_tag(self):
        line = "malloc  # proof: none, this is a test\n"
        self.assert_red("stands in the list twice", line + line)
        self.assert_red("unknown tag [windows]", "malloc [windows]  # proof: none\n")

    def test_definition_that_the_linker_may_replace(self):
        self.assert_red("may be replaced", "malloc  # proof: none, this is a test\n")


unittest.main(argv=sys.argv[:1])
