#!/usr/bin/env python3
"""Compares what objects use and do not define with a list of what they may use.

The format of the list stands at its head. Prints one line per error; exits 1 if there is one.
"""

import argparse
import os.path
import re
import subprocess
import sys

LINE = re.compile(r"(?P<symbol>\S+)(?:\s+\[(?P<tag>\w+)\])?\s*(?:#\s*proof:\s*(?P<proof>.*))?")
TAGS = (None, "linux", "posix", "any")


def read_list(path, errors):
    """The list as {symbol: tag}."""
    entries = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            match = LINE.fullmatch(line)
            where = f"{path}:{number}"
            if not match:
                errors.append(f"{where}: not of the form `symbol [tag]  # proof: text`")
                continue
            symbol, tag, proof = match["symbol"], match["tag"], match["proof"]
            if not proof:
                errors.append(f"{where}: {symbol} has no proof")
            if tag not in TAGS:
                errors.append(f"{where}: {symbol} has the unknown tag [{tag}]")
            if symbol in entries:
                errors.append(f"{where}: {symbol} stands in the list twice")
            entries[symbol] = tag
    return entries


def read_objects(nm, objects):
    """{symbol: object} of what is undefined, of what is defined, and of what is defined weakly."""
    undefined, defined, weak = {}, {}, {}
    for path in objects:
        name = os.path.basename(path)
        command = [nm, "--extern-only", "--format=posix", path]
        listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for line in listing.splitlines():
            symbol, kind = line.split()[:2]
            if kind in "Uwv":
                undefined.setdefault(symbol, name)
            else:
                defined[symbol] = name
                # _ZTW: how other files would reach a thread-local variable of this one.
                if kind in "WVu" and not symbol.startswith("_ZTW"):
                    weak[symbol] = name
    return undefined, defined, weak


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--platform", required=True, choices=("linux", "posix"))
    parser.add_argument("--allowed", required=True, help="the list")
    parser.add_argument("objects", nargs="+")
    args = parser.parse_args()

    errors = []
    entries = read_list(args.allowed, errors)
    undefined, defined, weak = read_objects(args.nm, args.objects)
    allowed = {s for s, tag in entries.items() if tag in (None, "any", args.platform)}
    needed = {s for s, tag in entries.items() if tag in (None, args.platform)}
    used = undefined.keys() - defined.keys()

    for symbol in sorted(used - allowed):
        errors.append(f"{undefined[symbol]}: {symbol} is not on the list for {args.platform}")
    for symbol in sorted(needed - used):
        errors.append(f"{args.allowed}: {symbol} is not needed on {args.platform}")
    for symbol, name in sorted(weak.items()):
        errors.append(f"{name}: {symbol} may be replaced by a copy from outside: force it inline")
    for error in errors:
        print(error)
    if not errors:
        print(f"{len(args.objects)} objects use {len(used)} symbols, all of them proved")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
