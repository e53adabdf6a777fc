#!/usr/bin/env python3
"""check_output.py SOURCE COMMAND...: the program prints what its source says at its end.

That is the comment that begins with "// Prints:", in Python with "# Prints:". It must end with exit
status 0, or as a last line "(killed by SIGTERM)" says, and write nothing to stderr. Prints what is
wrong, and exits 1 if anything is.
"""

import difflib
import pathlib
import re
import signal
import subprocess
import sys

DEATH = re.compile(r"\(killed by (?P<name>SIG\w+)\)")


def expected(source):
    """What the source says that its program prints, and the status that it ends with."""
    sign = "#" if source.suffix == ".py" else "//"
    _, mark, comment = source.read_text(encoding="utf-8").partition(f"\n{sign} Prints:\n")
    if not mark:
        sys.exit("It does not say what it prints.")
    lines = [line.removeprefix(sign).removeprefix(" ") for line in comment.splitlines()]
    if death := DEATH.fullmatch(lines[-1]):
        return lines[:-1], -signal.Signals[death["name"]]
    return lines, 0


def main():
    source, *command = sys.argv[1:]
    wanted, status = expected(pathlib.Path(source))
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    diff = difflib.unified_diff(wanted, done.stdout.splitlines(), "source", "program", lineterm="")
    wrong = [*diff]
    if done.returncode != status:
        wrong.append(f"It ended with status {done.returncode}.")
    if done.stderr:
        wrong.append(f"It wrote to stderr: {done.stderr}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
