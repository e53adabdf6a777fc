"""The document's programs, as they stand there, with sigpp's module in place of Python's.

They get real signals from this process, and must do what they do with Python's own: that is what
the scenes of tests/seed say, where the same programs are played with it, and as C++.
"""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "seed"))

from player import play  # noqa: E402
from scenes import BASIC, DEFAULT, IGNORE, SCENES, TIMER, USER  # noqa: E402
import document  # noqa: E402

PLAYED = [scene for scene in SCENES if scene.python is not None]


class Seed(unittest.TestCase):
    def play(self, scene, program, *switch):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "program.py")
            file.write_text(program, encoding="utf-8")
            command = [sys.executable, "-B", "-u", *switch, file]
            played = play(scene.script, command, scene.terminal, scene.ignored)
        self.assertEqual(played.text, scene.script)
        errors = played.errors.decode()
        if scene.python_errors:
            self.assertTrue(errors.endswith(scene.python_errors), errors)
        else:
            self.assertEqual(errors, "")
        at_least, less_than = scene.seconds
        self.assertTrue(at_least <= played.seconds < less_than, played.seconds)

    def test_verbatim(self):
        for scene in PLAYED:
            with self.subTest(scene.name):
                self.play(scene, scene.python, "-m", "sigpp")

    def test_with_another_import(self):
        for scene in PLAYED:
            with self.subTest(scene.name):
                self.assertEqual(scene.python.count("import signal\n"), 1)
                other = scene.python.replace("import signal\n", "import sigpp.signal as signal\n")
                self.play(scene, other)

    def test_no_block_is_left_out(self):
        programs = {BASIC, USER, IGNORE, DEFAULT, TIMER}
        self.assertEqual(set(document.blocks()), programs)


if __name__ == "__main__":
    unittest.main()
