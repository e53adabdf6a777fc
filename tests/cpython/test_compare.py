#!/usr/bin/env python3
"""test_compare.py PACKAGE: the negative controls: compare.py goes red where it should."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PACKAGE = pathlib.Path(sys.argv.pop(1))
COMPARE = pathlib.Path(__file__).with_name("compare.py")


def compare(package, *chosen):
    command = [sys.executable, "-B", COMPARE, package, *chosen]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=100, check=False)
    return done.stdout, done.returncode


class Compare(unittest.TestCase):
    def temporary(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def broken(self, old, new):
        """A copy of the package with a mistake in how it is switched to."""
        folder = pathlib.Path(self.temporary())
        shutil.copytree(PACKAGE, folder / "package")
        file = folder / "package/sigpp/_switch.py"
        text = file.read_text(encoding="utf-8")
        self.assertEqual(text.count(old), 1)
        file.write_text(text.replace(old, new), encoding="utf-8")
        return folder / "package"

    def test_right(self):
        said, status = compare(PACKAGE, "test.test_signal", "test_getsignal")
        self.assertEqual(status, 0, said)

    def test_a_mistake(self):
        package = self.broken(
            "    return module\n", "    module.getsignal = lambda n: None\n    return module\n"
        )
        said, status = compare(package, "test.test_signal", "test_getsignal")
        self.assertEqual(status, 1)
        self.assertIn("lost: test.test_signal.PosixTests.test_getsignal: failed\n", said)

    def test_nothing_chosen(self):
        said, status = compare(PACKAGE, "test.test_signal", "there_is_no_such_test")
        self.assertEqual(status, 1)
        self.assertIn("nothing passed", said)

    def test_not_used(self):
        said, status = compare(PACKAGE.parent, "test.test_signal", "test_getsignal")
        self.assertEqual(status, 1)
        self.assertIn("sigpp was not used\n", said)


if __name__ == "__main__":
    unittest.main()
