#!/usr/bin/env python3
"""check_output.py SOURCE COMMAND...: the program prints what its source says at its end.

That is the comment that begins with "// Prints:", in Python with "# Prints:". It must end with exit status 0, and write nothing
to stderr. Prints what is wrong, and exits 1 if anything is.
"""

import difflib
import pathlib
import subprocess
import sys


def expected(source):
    """What the source says that its program prints."""
    sign = "#" if source.suffix == ".py" else "//"
    _, mark, comment = source.read_text(encoding="utf-8").partition(f"\n{sign} Prints:\n")
    if not mark:
        sys.exit("It does not say what it prints.")
    return [line.removeprefix(sign).removeprefix(" ") for line in comment.splitlines()]


def main():
    source, *command = sys.argv[1:]
    wanted = expected(pathlib.Path(source))
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    diff = difflib.unified_diff(wanted, done.stdout.splitlines(), "source", "program", lineterm="")
    wrong = [*diff]
    if done.returncode != 0:
        wrong.append(f"It ended with status {done.returncode}.")
    if done.stderr:
        wrong.append(f"It wrote to stderr: {done.stderr}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
