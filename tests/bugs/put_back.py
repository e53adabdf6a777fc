#!/usr/bin/env python3
"""Puts named bugs back into a copy of the tree, one at a time, and demands that their tests go red."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

FORM = re.compile(
    r"(?P<story>.+?)\ntest: (?P<test>.+?)\ntarget: (?P<target>.+?)\n(?P<edits>file: .+)", re.DOTALL
)
EDIT = re.compile(r"file: (?P<file>.+?)\n<<<<\n(?P<old>.*?)====\n(?P<new>.*?)>>>>\n", re.DOTALL)


class Failure(Exception):
    pass


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def must(command):
    done = run(command)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


class Tree:
    """A copy of the source that can be built and changed."""

    def __init__(self, source, work):
        self.root, self.build = work / "tree", work / "build"
        listed = must(["git", "-C", source, "ls-files", "-co", "--exclude-standard", "-z"]).split("\0")
        names = [name for name in listed if name and (source / name).is_file()]
        for old in self.root.rglob("*"):
            if old.is_file() and str(old.relative_to(self.root)) not in names:
                old.unlink()
        for name in names:
            copy = self.root / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            # By content: the object of a bug that was in place at the end is newer than its source.
            if not copy.is_file() or copy.read_bytes() != (source / name).read_bytes():
                shutil.copyfile(source / name, copy)
                shutil.copymode(source / name, copy)
        must(["cmake", "-S", self.root, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
              "-DSIGPP_BUILD_EXAMPLES=OFF", "-DSIGPP_BUILD_PYTHON=ON", "-DSIGPP_INSTALL=OFF"])

    def make(self, targets):
        must(["cmake", "--build", self.build, "--target", *targets])

    def passes(self, test, seconds=None):
        # In a session of its own, so that a test that hangs can be ended with all that it started.
        tests = subprocess.Popen(
            ["ctest", "--test-dir", self.build, "-R", test, "--no-tests=error", "-j2"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        try:
            output, _ = tests.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(tests.pid, signal.SIGKILL)
            tests.wait()
            return False
        if "No tests were found" in output:
            raise Failure(f"no test is called {test}")
        return tests.returncode == 0


def read(path):
    form = FORM.fullmatch(path.read_text(encoding="utf-8"))
    edits = EDIT.findall(form["edits"]) if form else []
    if not edits or "".join(f"file: {f}\n<<<<\n{o}====\n{n}>>>>\n" for f, o, n in edits) != form["edits"]:
        raise Failure(f"{path}: not of the form that README.md shows")
    return form["story"], form["test"], form["target"].split(), edits


def goes_red(tree, path, seconds):
    """True if the tests fail with the bug in place, or do not end in so many seconds."""
    _, test, targets, edits = read(path)
    before = {}
    try:
        for file, old, new in edits:
            place = tree.root / file
            text = place.read_text(encoding="utf-8")
            before.setdefault(place, text)
            if text.count(old) != 1:
                raise Failure(f"{path.name}: its text stands {text.count(old)} times in {file}")
            place.write_text(text.replace(old, new), encoding="utf-8")
        tree.make(targets)
        return not tree.passes(test, seconds)
    finally:
        for place, text in before.items():
            place.write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("work", type=Path, help="a folder to build in; kept for the next time")
    parser.add_argument("names", nargs="*", help="of bugs, without .bug; all if none is given")
    args = parser.parse_args()

    folder = args.source / "tests" / "bugs"
    bugs = sorted(folder.glob("*.bug"))
    if args.names:
        bugs = [folder / f"{name}.bug" for name in args.names]
    failed = 0
    try:
        tree = Tree(args.source.resolve(), args.work.resolve())
        wanted = [read(bug) for bug in bugs]
        tree.make(sorted({target for _, _, targets, _ in wanted for target in targets}))
        seconds = {}  # a test that hangs is red; this long is four times what it took
        for test in sorted({test for _, test, _, _ in wanted}):
            begin = time.monotonic()
            if not tree.passes(test):
                raise Failure(f"{test} is red without any bug")
            seconds[test] = max(8, 4 * (time.monotonic() - begin))
    except Failure as failure:
        print(failure)
        return 1
    for bug, (_, test, _, _) in zip(bugs, wanted):
        begin = time.monotonic()
        try:
            red, note = goes_red(tree, bug, seconds[test]), ""
        except Failure as failure:
            red, note = False, f"\n{failure}"
        verdict = "red, as it must be" if red else "GREEN: NOBODY NOTICES"
        failed += not red
        print(f"{bug.stem:45} {verdict} ({time.monotonic() - begin:.0f} s){note}", flush=True)
    print(f"{len(bugs) - failed} passed, {failed} failed")
    return 1 if failed or not bugs else 0


if __name__ == "__main__":
    sys.exit(main())
