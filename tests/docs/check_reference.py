#!/usr/bin/env python3
"""check_reference.py [ROOT]: docs/reference/python-to-sigpp.md leaves nothing out.

- Every name of this Python's signal module has one row.
- A row links a file of examples/reference/, and the C++ in the row stands in that file.
- Every file of examples/reference/ is linked, and says what it prints.
- Every function of the module is compared in tests/python/cases/, from another thread too.

Prints what is wrong, and exits 1 if anything is.
"""

import pathlib
import re
import signal
import sys
import types

PAGE = "docs/reference/python-to-sigpp.md"
SNIPPETS = "examples/reference"
# `signal.alarm(1)`, at the begin of a row.
ROW = re.compile(r"^\| `signal\.(?P<name>\w+)[^|]*\| (?P<cpp>[^|]*)\|(?P<rest>.*)$")
LINK = re.compile(rf"\]\((?:\.\./)*{SNIPPETS}/(\w+\.cpp)\)")
CPP = re.compile(r"\b(?:sigpp|std)::(\w+(?:::\w+)*)|\b(NSIG|SIG\w+|ITIMER_\w+)\b")


def names():
    """What `dir(signal)` has, but for what is private or comes from elsewhere."""
    return {
        name
        for name, value in vars(signal).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }


def functions():
    return {name for name in names() if isinstance(vars(signal)[name], FUNCTIONS)}


FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)


def check(root):
    """What is wrong."""
    page = (root / PAGE).read_text(encoding="utf-8")
    files = {file.name: file.read_text(encoding="utf-8") for file in (root / SNIPPETS).glob("*.cpp")}
    rows, wrong = {}, []
    for number, line in enumerate(page.splitlines(), 1):
        row = ROW.match(line)
        if not row:
            continue
        if row["name"] in rows:
            wrong.append(f"{PAGE}:{number}: a second row of {row['name']}")
        rows[row["name"]] = number
        linked = [files.get(name, "") for name in LINK.findall(row["rest"])]
        if not linked:
            wrong.append(f"{PAGE}:{number}: {row['name']} links no snippet")
        cpp = [function or constant for function, constant in CPP.findall(row["cpp"])]
        if not cpp:
            wrong.append(f"{PAGE}:{number}: there is no C++ beside {row['name']}")
        for name in cpp:
            if linked and not any(re.search(rf"\b{name}\b", text) for text in linked):
                wrong.append(f"{PAGE}:{number}: the snippet does not show {name}")
    wrong += [f"{PAGE}: no row of {name}" for name in sorted(names() - set(rows))]
    # Other versions and systems have other constants.
    strange = {name for name in set(rows) - names() if not name.isupper()}
    wrong += [f"{PAGE}:{rows[name]}: there is no signal.{name}" for name in sorted(strange)]

    for name, text in sorted(files.items()):
        if name not in LINK.findall(page):
            wrong.append(f"{SNIPPETS}/{name}: {PAGE} does not link it")
        if "\n// Prints:\n" not in text:
            wrong.append(f"{SNIPPETS}/{name}: does not say what it prints")

    cases = "".join(file.read_text("utf-8") for file in (root / "tests/python/cases").glob("*.txt"))
    for prefix, where in (("", ""), ("thread ", " from another thread")):
        for name in sorted(functions()):
            if not re.search(rf"^(begin )?{prefix}{name}\b(?!\.)", cases, re.M):
                wrong.append(f"tests/python/cases: nothing compares {name}{where}")
    return wrong


if __name__ == "__main__":
    ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    WRONG = check(ROOT)
    print("\n".join(WRONG) if WRONG else "The reference leaves nothing out.")
    sys.exit(1 if WRONG else 0)
