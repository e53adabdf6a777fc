#!/usr/bin/env python3
"""test_live.py LIVE: the demo's live program at a terminal, with real keys and real signals."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

from player import Program

LIVE = pathlib.Path(sys.argv.pop(1))


class Live(unittest.TestCase):
    def start(self, terminal=True):
        program = Program([LIVE], terminal=terminal)
        self.addCleanup(program.close)
        self.assert_line(program, f"This is process {program.pid}. Try from another terminal:")
        return program

    def start_with_keys(self):
        program = self.start()
        if self.read_until(program, "^(No keys|Keys): ")[1] == "No keys":
            self.skipTest("SIGIO is sigpp's own in this build")
        return program

    def read_until(self, program, pattern):
        """Reads on to the line that contains `pattern`."""
        while line := program.read_line().decode():
            if found := re.search(pattern, line):
                return found
        self.fail(f"the program ended; no line with {pattern}")

    def assert_line(self, program, expected):
        self.assertEqual(program.read_line().decode(), expected + "\n")

    def assert_ends(self, program, ending):
        rest, end = program.finish()
        self.assertEqual(end, ending)
        self.assertEqual(program.errors(), b"")
        return rest.decode()

    def choose(self, program, action, name):
        """Presses the action's key, then the number of the signal."""
        program.type(action.encode())
        number = self.read_until(program, rf"which\?.* (\d) {name[3:]} ")[1]
        program.type(number.encode())
        return self.read_until(program, rf"^{name}: (.*)\.$")[1]

    def test_it_shows_who_sent_what(self):
        program = self.start()
        program.send(signal.SIGUSR1)
        me = pathlib.Path("/proc/self/comm").read_text(encoding="utf-8").strip()
        line = self.read_until(program, "^SIGUSR1 .*").group()
        self.assertIn(f"from process {os.getpid()} ({me}), uid {os.getuid()}: handled", line)

    def test_a_sender_that_is_gone(self):
        program = self.start()
        program.send(signal.SIGSTOP)
        subprocess.run(["sh", "-c", f"kill -USR2 {program.pid}"], check=True)
        program.send(signal.SIGCONT)
        self.read_until(program, r"^SIGUSR2 .* \(a process that is gone\)")

    def test_ctrl_c_shuts_down_and_counts(self):
        program = self.start()
        for _ in range(3):
            program.send(signal.SIGHUP)
            self.read_until(program, "^SIGHUP .*: handled")
        program.type(b"\x03")
        rest = self.assert_ends(program, "exit status 0")
        self.assertRegex(rest, r"(?m)^SIGINT .* from the kernel: handled$")
        self.assertRegex(rest, r"(?m)^SIGHUP +3 +3 +0 +0 +0$")

    def test_ignore_and_catch_again(self):
        program = self.start_with_keys()
        self.assertEqual(self.choose(program, "i", "SIGTERM"), "ignored")
        program.send(signal.SIGTERM)
        self.assertEqual(self.choose(program, "c", "SIGTERM"), "caught")
        program.send(signal.SIGTERM)
        self.read_until(program, "^SIGTERM .*: handled")
        program.type(b"q")
        rest = self.assert_ends(program, "exit status 0")
        self.assertRegex(rest, r"(?m)^SIGTERM +1 +1 +0 +0 +0$")

    def test_reset(self):
        program = self.start_with_keys()
        self.assertEqual(self.choose(program, "r", "SIGTERM"), "default action")
        program.send(signal.SIGTERM)
        self.assert_ends(program, "killed by SIGTERM")

    def test_it_tells_what_each_signal_does(self):
        program = self.start_with_keys()
        self.choose(program, "i", "SIGUSR1")
        self.choose(program, "r", "SIGUSR2")
        program.type(b"s")
        self.read_until(program, "^SIGTERM +caught$")
        self.read_until(program, "^SIGUSR1 +ignored$")
        self.read_until(program, "^SIGUSR2 +default action$")

    def test_timer(self):
        program = self.start_with_keys()
        program.type(b"t")
        self.read_until(program, "^SIGALRM .* from the kernel: handled$")

    def test_q_gives_the_terminal_back(self):
        program = self.start_with_keys()
        self.assertFalse(program.waits_for_lines())
        program.type(b"q")
        self.assert_ends(program, "exit status 0")
        self.assertTrue(program.waits_for_lines())

    def test_it_ends_with_its_window(self):
        program = self.start()
        program.hang_up()
        self.assert_ends(program, "exit status 0")

    def test_without_a_terminal(self):
        program = self.start(terminal=False)
        program.send(signal.SIGINT)
        self.assertIn("No keys:", self.assert_ends(program, "exit status 0"))


if __name__ == "__main__":
    unittest.main()
