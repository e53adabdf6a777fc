#!/usr/bin/env python3
"""Plays the document's programs, as Python and as C++, and compares what happens.

Both get the same real signals from this process. Output (byte for byte), exit status and
termination signal must be what is expected, and so the same. Exits 1 if they are not.
"""

import argparse
import difflib
import pathlib
import sys
import tempfile

from player import play
from scenes import SCENES


def play_python(scene):
    if scene.python is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder, "program.py")
        program.write_text(scene.python, encoding="utf-8")
        command = [sys.executable, "-I", "-u", program]
        return play(scene.script, command, scene.terminal, scene.ignored)


def play_example(scene, program):
    return play(scene.script, [program, *scene.arguments], scene.terminal, scene.ignored)


def differences(scene, python, sigpp):
    """What is wrong, as lines of text; none if nothing is. `python` may be None."""
    wrong = []
    for who, errors, played in (("Python", scene.python_errors, python), ("sigpp", "", sigpp)):
        if played is None:
            continue
        if played.text != scene.script:
            wrong += difflib.unified_diff(
                scene.script.splitlines(), played.text.splitlines(), "expected", who, lineterm=""
            )
        said = played.errors.decode(errors="backslashreplace")
        if not (said.endswith(errors) if errors else said == ""):
            wrong.append(f"{who} wrote to stderr: {said!r}")
        at_least, less_than = scene.seconds
        if not at_least <= played.seconds < less_than:
            wrong.append(f"{who} took {played.seconds:.3f} s, not {at_least} to {less_than} s")
    if python is not None and python.output != sigpp.output:
        wrong.append(f"Python wrote {python.output!r}, sigpp {sigpp.output!r}")
    return wrong


def report(scene, python, sigpp, wrong):
    """The scene for a person to read."""
    print(f"\n{scene.title}  [examples/{scene.example}.cpp]")
    transcripts = {"Python": python, "sigpp": sigpp} if wrong else {"": sigpp}
    for who, played in transcripts.items():
        if played is not None:
            print(f"  {who}:" if who else "", end="\n" if who else "")
            print("".join(f"    | {line}\n" for line in played.text.splitlines()), end="")
            if scene.seconds[0]:
                print(f"    (after {played.seconds:.1f} s)")
    for line in wrong:
        print(f"  {line}")
    if wrong:
        print("  DIFFERENT")
    elif python is None:
        print("  as expected")
    else:
        print("  Python and sigpp: the same")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=pathlib.Path, nargs="?", help="folder of the C++ programs")
    parser.add_argument("scenes", nargs="*", help="what to play; default: all")
    parser.add_argument("--list", action="store_true", help="print the scenes' names and end")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(scene.name for scene in SCENES))
        return 0
    if arguments.examples is None:
        parser.error("where are the C++ programs?")
    unknown = set(arguments.scenes) - {scene.name for scene in SCENES}
    if unknown:
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")

    chosen = [s for s in SCENES if not arguments.scenes or s.name in arguments.scenes]
    failed = []
    for scene in chosen:
        python = play_python(scene)
        sigpp = play_example(scene, arguments.examples / scene.example)
        wrong = differences(scene, python, sigpp)
        report(scene, python, sigpp, wrong)
        sys.stdout.flush()
        if wrong:
            failed.append(scene.name)
    print(f"\n{len(chosen) - len(failed)} of {len(chosen)} as they must be.")
    if failed:
        print(f"Different: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
