"""python -m sigpp PROGRAM.py [ARGUMENT...]: runs a program with sigpp's signals in place of Python's.

As `python` itself: -m MODULE and -c COMMAND in place of PROGRAM.py.
"""

import runpy
import sys

import sigpp


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    del sys.argv[0]
    sigpp.install()
    if sys.argv[0] == "-c":
        del sys.argv[0]
        command, sys.argv[0] = sys.argv[0], "-c"
        exec(compile(command, "<string>", "exec"), {"__name__": "__main__"})
    elif sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = sys.argv[0].rpartition("/")[0]
        runpy.run_path(sys.argv[0], run_name="__main__")


main()
