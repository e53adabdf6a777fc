#!/usr/bin/env python3
"""compare.py PACKAGE MODULE [PATTERN...]: CPython's own tests with its `signal` module, and with sigpp's.

The module is swapped in by a line in the site-packages of a virtual environment, so that the
programs that the tests start have it too, those that ignore Python's environment variables
included. Every test that passes with the one has to pass with the other; with SIGPP_LONG in the
environment all of MODULE, whatever the patterns. PACKAGE is the folder that
`sigpp` is in. Prints `cpython: ` and a row of numbers, and exits 1 if a test has been lost.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SUITE = pathlib.Path(__file__).with_name("suite.py")

# In every process, at its start; a line in a file proves it.
SWITCH = """\
import os, sys
try:
    import sigpp
except ImportError:  # a subinterpreter, which has no signal handlers anyway
    pass
else:
    sigpp.install()
    import signal
    assert signal._signal is sys.modules["_signal"] is not sigpp._switch.stock
    used = os.open({used!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(used, b"isolated\\n" if sys.flags.isolated else b"other\\n")
    os.close(used)
"""


class Environment:
    """A virtual environment; `package`: where sigpp is, or None for Python's own module."""

    def __init__(self, python, folder, package):
        self.folder = folder
        subprocess.run(
            [python, "-m", "venv", "--without-pip", "--symlinks", folder], check=True, timeout=120
        )
        self.python = folder / "bin/python"
        self.used = folder / "used"
        if package is None:
            return
        (site,) = folder.glob("lib/python3.*/site-packages")
        (site / "switch_to_sigpp.py").write_text(
            SWITCH.format(used=str(self.used)), encoding="utf-8"
        )
        (site / "sigpp.pth").write_text(f"{package}\nimport switch_to_sigpp\n", encoding="utf-8")

    def run(self, arguments, seconds):
        """What became of each test, by name; what was said."""
        done = subprocess.run(
            [self.python, SUITE, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            start_new_session=True,
            check=False,
        )
        said = done.stdout.decode(errors="backslashreplace")
        try:
            return json.loads(said.splitlines()[-1]), said
        except (IndexError, ValueError):
            return {"(the whole)": f"ended with {done.returncode}"}, said

    def switched(self):
        """How many processes have used sigpp; how many of them isolated."""
        lines = self.used.read_text(encoding="utf-8").split() if self.used.exists() else []
        return len(lines), lines.count("isolated")


def counts(results):
    by = collections.Counter(results.values())
    passed, skipped = by.pop("passed", 0), by.pop("skipped", 0)
    return f"{passed:5} {sum(by.values()):6} {skipped:7}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=pathlib.Path)
    parser.add_argument("test")
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--seconds", type=float, default=600)
    arguments = parser.parse_args()
    patterns = [] if "SIGPP_LONG" in os.environ else arguments.patterns
    chosen = [arguments.test, *patterns]

    with tempfile.TemporaryDirectory() as folder:
        stock = Environment(arguments.python, pathlib.Path(folder, "stock"), None)
        ours = Environment(arguments.python, pathlib.Path(folder, "sigpp"), arguments.package)
        with concurrent.futures.ThreadPoolExecutor() as at_once:  # they sleep most of the time
            first = at_once.submit(stock.run, chosen, arguments.seconds)
            after, said = ours.run(chosen, arguments.seconds)
            before, _ = first.result()
        lost = [
            name for name, what in before.items() if what == "passed" and after.get(name) != what
        ]
        if lost:  # a test may fail by itself: twice is no accident
            again, said = ours.run(chosen, arguments.seconds)
            lost = [name for name in lost if again.get(name) != "passed"]
        processes, isolated = ours.switched()
    version = subprocess.run(
        [arguments.python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    print(
        f"cpython: {version:7} {arguments.test:32} {counts(before)} {counts(after)}"
        f" {processes:9} {isolated:8}"
    )
    if lost:
        print(said[-20000:])
    for name in lost:
        print(f"lost: {name}: {after.get(name, 'not run')}")
    if "passed" not in before.values():
        print("nothing passed with Python's own module")
        return 1
    if processes == 0:
        print("sigpp was not used")
        return 1
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
