#!/usr/bin/env python3
"""test_compare.py EXAMPLES: the comparison goes red when a program misbehaves, however little."""

import dataclasses
import pathlib
import sys
import unittest

import player
from compare import differences, play_example, play_python
from document import blocks
from scenes import BASIC, SCENES

EXAMPLES = pathlib.Path(sys.argv.pop(1))
GRACEFUL, KEYBOARD_INTERRUPT, TIMEOUT, SERVER = (
    next(scene for scene in SCENES if scene.name == name)
    for name in ("graceful_shutdown", "keyboard_interrupt", "timeout", "server")
)

NO_DRAIN = """
import signal, socket
signal.signal(signal.SIGHUP, lambda *_: print("Configuration loaded."))
print("Configuration loaded.")
s = socket.create_server(("127.0.0.1", 0))
print(f"Listening on port {s.getsockname()[1]}.")
c = s.accept()[0]
while True:
    c.send(c.recv(99))
"""


def play_instead(scene, code):
    """The scene with some Python in place of the C++ program."""
    return player.play(scene.script, [sys.executable, "-I", "-u", "-c", code])


def misbehaving(right, wrong):
    """The document's first program, with something else in it."""
    assert BASIC.code.count(right) == 1
    return BASIC.code.replace(right, wrong)


class Document(unittest.TestCase):
    def test_all_its_programs_are_played(self):
        played = "".join(scene.python or "" for scene in SCENES)
        self.assertEqual(len(blocks()), 5)
        for block in blocks():
            self.assertIn(block.code, played)

    def test_all_examples_are_played(self):
        sources = pathlib.Path(__file__).parents[2] / "examples"
        elsewhere = {"live", "storm"}  # test_live.py, test_storm.py
        self.assertEqual(
            {source.stem for source in sources.glob("*.cpp")},
            {scene.example for scene in SCENES} | elsewhere,
        )


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.python = play_python(GRACEFUL)

    def assert_red(self, reason, code):
        wrong = differences(GRACEFUL, self.python, play_instead(GRACEFUL, code))
        self.assertIn(reason, "\n".join(wrong))

    def test_the_right_program_is_green(self):
        right = play_example(GRACEFUL, EXAMPLES / "graceful_shutdown")
        self.assertEqual(differences(GRACEFUL, self.python, right), [])
        self.assertEqual(differences(GRACEFUL, self.python, play_instead(GRACEFUL, BASIC.code)), [])

    def test_another_program(self):
        other = play_example(GRACEFUL, EXAMPLES / "default_sigint")
        wrong = differences(GRACEFUL, self.python, other)
        self.assertIn("-Press Ctrl+C to exit...", wrong)
        self.assertIn("+killed by SIGINT", wrong)

    def test_exit_status(self):
        self.assert_red("+exit status 1", misbehaving("exit(0)", "exit(1)"))

    def test_no_handler(self):
        self.assert_red("+killed by SIGINT", misbehaving(", handle_signal)", ", signal.SIG_DFL)"))

    def test_one_letter(self):
        self.assert_red("+Received Signal: 2.", misbehaving("Received signal", "Received Signal"))

    def test_a_line_too_many(self):
        self.assert_red("+twice", misbehaving("exit(0)", "print('twice'); exit(0)"))

    def test_a_missing_newline(self):
        self.assert_red("(no newline)", misbehaving('down.")', 'down.", end="")'))

    def test_a_carriage_return(self):
        self.assert_red(r"down.\r\n'", misbehaving('down.")', 'down.", end="\\r\\n")'))

    def test_a_word_on_stderr(self):
        self.assert_red(
            "sigpp wrote to stderr: 'oops'",
            misbehaving("exit(0)", "print('oops', end='', file=__import__('sys').stderr); exit(0)"),
        )

    def test_a_program_that_hangs(self):
        patience, player.PATIENCE = player.PATIENCE, 0.2
        self.addCleanup(setattr, player, "PATIENCE", patience)
        self.assert_red("+stuck: ", misbehaving("exit(0)", "while True: time.sleep(1)"))

    def test_one_that_should_hang_and_does_not(self):
        naive = next(scene for scene in SCENES if scene.name == "interrupt_naive")
        script = naive.script.replace("--> Ctrl+C\n", "").replace("for 2 s", "for 20 s")
        for code, said in (("print('Go')", []), ("print('Go\\nStopped.')", ["Stopped."])):
            ended = player.play(script, [sys.executable, "-c", code])
            self.assertEqual(ended.text.splitlines()[1:-2], said)

    def test_exit_status_130_is_no_death_by_signal(self):
        python = play_python(KEYBOARD_INTERRUPT)
        code = misbehaving(BASIC.code.split("    ")[1], "pass\n").replace("exit(0)", "exit(130)")
        wrong = differences(KEYBOARD_INTERRUPT, python, play_instead(KEYBOARD_INTERRUPT, code))
        self.assertIn("+exit status 130", wrong)

    def test_both_wrong_in_the_same_way(self):
        code = misbehaving("exit(0)", "exit(3)")
        both = dataclasses.replace(GRACEFUL, python=code)
        wrong = differences(both, play_python(both), play_instead(both, code))
        self.assertEqual(wrong.count("+exit status 3"), 2)

    def test_another_answer(self):
        says = "import socket, sys; s = socket.create_server(('127.0.0.1', 0))\n"
        says += "print('Listening on port', s.getsockname()[1], flush=True); c = s.accept()[0]\n"
        script = "Listening on port N\n==> hello\n<== hello\n==> (closes)\nexit status 0\n"
        for answer, heard in (("hallo\\n", "<== hallo"), ("", "<== ")):
            code = f"{says}c.recv(99); c.send(b'{answer}'); c.close()"
            played = player.play(script, [sys.executable, "-c", code])
            self.assertEqual(played.text, script.replace("<== hello", heard))

    def test_a_server_that_does_not_drain(self):
        wrong = differences(SERVER, None, play_instead(SERVER, NO_DRAIN))
        self.assertIn("-<== are you still there?", wrong)

    def test_a_timeout_that_comes_early(self):
        code = TIMEOUT.python.replace("ITIMER_REAL, 5", "ITIMER_REAL, 0.1")
        early = play_instead(TIMEOUT, code)
        self.assertEqual(early.text, TIMEOUT.script)
        self.assertIn("sigpp took", "\n".join(differences(TIMEOUT, None, early)))


if __name__ == "__main__":
    unittest.main()
