#!/usr/bin/env python3
"""wheel.py SOURCE BUILD PYTHON...: the wheel, from nothing to a program that runs by it.

Made from SOURCE with what is in BUILD by this interpreter, without a network; installed for each
PYTHON in a virtual environment that has nothing else; there the document's programs are played.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
PATIENCE = 200  # seconds


def run(*command, **more):
    environment = {name: what for name, what in os.environ.items() if name != "PYTHONPATH"}
    environment.update(more.pop("environment", {}))
    subprocess.run(command, env=environment, timeout=PATIENCE, check=True, **more)


def copy_of(source, folder):
    """What setuptools leaves beside its input shall not lie in the source."""
    for each in ("CMakeLists.txt", "LICENSE", "cmake", "include", "src"):
        (folder / each).symlink_to(source / each)
    shutil.copytree(source / "python", folder / "python", symlinks=True)
    return folder / "python"


def pip(*arguments, environment=None):
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    run(sys.executable, "-m", "pip", *quiet, *arguments, environment=environment or {})


def main():
    source, build, *pythons = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        package = copy_of(pathlib.Path(source), folder)
        out = folder / "out"
        options = ["--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", out]
        pip("wheel", *options, package, environment={"SIGPP_BUILD": build})
        (wheel,) = out.iterdir()
        print(wheel.name)
        # One file for every CPython since 3.8.
        if "-cp38-abi3-linux_" not in wheel.name:
            sys.exit("that is no wheel for the stable interface")
        for n, python in enumerate(pythons):
            there = folder / f"venv{n}"
            run(python, "-m", "venv", "--without-pip", there)
            own = there / "bin/python"
            pip("--python", own, "install", "--no-index", "--no-deps", wheel)
            where = "import sigpp, sys; sys.exit(not sigpp.__file__.startswith(sys.prefix))"
            run(own, "-c", where)
            run(own, "-B", "-m", "unittest", "-q", "test_seed", cwd=HERE)
            print(f"{python}: installed, and the document's programs played")


if __name__ == "__main__":
    main()
