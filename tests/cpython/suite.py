"""suite.py MODULE [PATTERN...]: runs the test cases in a module of CPython's tests that match.

Prints one line of JSON at the end: what became of each test case, by its name.
"""

import fnmatch
import json
import os
import sys
import tempfile
import unittest


class Result(unittest.TextTestResult):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.by_name = {}

    def note(self, test, what):
        # A failed part of a test case is that test case's failure; a class's or module's is its own.
        name = getattr(test, "test_case", test).id()
        if self.by_name.get(name) != "failed":
            self.by_name[name] = what

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test, "passed")

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, "failed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, "failed")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(test, "skipped")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.note(test, "passed")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note(test, "failed")


def cases(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from cases(each)
        else:
            yield each


def main():
    name, *patterns = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        suite = unittest.defaultTestLoader.loadTestsFromName(name)
        if patterns:
            chosen = [
                case
                for case in cases(suite)
                if any(fnmatch.fnmatchcase(case.id(), f"*{pattern}*") for pattern in patterns)
            ]
            suite = unittest.TestSuite(chosen)
        runner = unittest.TextTestRunner(verbosity=2, resultclass=Result)
        result = runner.run(suite)
        os.chdir("/")
    print(json.dumps(result.by_name), flush=True)


if __name__ == "__main__":
    main()
