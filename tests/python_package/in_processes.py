#!/usr/bin/env python3
"""in_processes.py FILE: runs each test case in FILE by itself: signals belong to the process."""

import pathlib
import subprocess
import sys
import unittest

PATIENCE = 150  # seconds for one test case: a storm to a busy process is slow on a busy machine


def cases(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from cases(each)
        else:
            yield each.id()


def main():
    file = pathlib.Path(sys.argv[1])
    sys.path.insert(0, str(file.parent))
    names = list(cases(unittest.defaultTestLoader.loadTestsFromName(file.stem)))
    failed = 0
    for name in names:
        command = [sys.executable, "-B", "-X", "faulthandler", "-m", "unittest", name]
        try:
            done = subprocess.run(
                command,
                cwd=file.parent,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            said, status = done.stdout, done.returncode
        except subprocess.TimeoutExpired as stuck:
            said, status = (stuck.stdout or b"").decode(), f"stuck for {PATIENCE} s"
        if status != 0:
            failed += 1
            print(f"{name}: {status}\n{said}", flush=True)
    print(f"{len(names) - failed} of {len(names)} passed")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())
