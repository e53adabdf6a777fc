#!/usr/bin/env python3
"""Reads the machine code of a loop around sigpp::check(): a load and a branch, nothing else.

No call but the one to run_pending(), which is not on the straight path; no function that finds or
initialises thread-local storage; one access to the attention word in the loop.
"""

import argparse
import re
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objdump", default="objdump")
    parser.add_argument("object")
    args = parser.parse_args()
    command = [args.objdump, "-dr", "--no-show-raw-insn", "--disassemble=safe_point_loop", args.object]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(text)

    errors = []
    for name in ("__tls_get_addr", "_ZTH", "_ZTW", "TLSGD", "TLSLD", "TLSDESC"):
        if name in text:
            errors.append(f"{name}: finding the word must take no call")
    calls = re.findall(r"\tcall\b", text)
    if len(calls) != 1 or "run_pending" not in text:
        errors.append(f"{len(calls)} calls; one is allowed, to run_pending")
    loads = re.findall(r"%fs:", text)
    if len(loads) != 1:
        errors.append(f"{len(loads)} loads of thread-local words; one is allowed")
    for error in errors:
        print(error)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
