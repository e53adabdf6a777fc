"""The wheel: CMake builds the one extension, for CPython 3.8 and all later ones.

pip wheel --no-build-isolation --no-deps python/
SIGPP_BUILD in the environment: a build of sigpp's with the package, to use in place of a new one.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "Python3_EXECUTABLE": sys.executable,
    "SIGPP_BUILD_EXAMPLES": "OFF",
    "SIGPP_BUILD_PYTHON": "ON",
    "SIGPP_BUILD_TESTS": "OFF",
}


def version():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    return re.search(r"^  VERSION ([\d.]+)$", text, re.MULTILINE).group(1)


class by_cmake(build_ext):
    def build_extension(self, ext):
        build = pathlib.Path(os.environ.get("SIGPP_BUILD") or self.build_temp).resolve()
        if not (build / "CMakeCache.txt").exists():
            options = [f"-D{name}={value}" for name, value in OPTIONS.items()]
            subprocess.run(["cmake", "-S", ROOT, "-B", build, *options], check=True)
        command = ["cmake", "--build", build, "--target", "sigpp_python", "--parallel"]
        subprocess.run([*command, str(os.cpu_count() or 1)], check=True)
        to = pathlib.Path(self.get_ext_fullpath(ext.name))
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(build / "python/package/sigpp" / to.name, to)


setup(
    version=version(),
    ext_modules=[Extension("sigpp._core", [], py_limited_api=True)],
    cmdclass={"build_ext": by_cmake},
    options={"bdist_wheel": {"py_limited_api": "cp38"}},
)
