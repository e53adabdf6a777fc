"""Runs a program twice: with Python's own `signal` module, and with sigpp's in its place.

The environment's PYTHONPATH leads to `sigpp`.
"""

import os
import subprocess
import sys
import tempfile

PATIENCE = 60  # seconds. Only a program that hangs comes near.


def command(program, *arguments, sigpp):
    """`program` is the text of one. -u: what it prints is to be seen at once."""
    switch = ["-m", "sigpp"] if sigpp else []
    return [sys.executable, "-B", "-u", *switch, "-c", program, *arguments]


def run(program, *arguments, sigpp):
    """What it has printed on either output, and its exit status."""
    done = subprocess.run(
        command(program, *arguments, sigpp=sigpp),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout, done.returncode


class Running:
    """A program that is running; kill it by leaving the `with`."""

    def __init__(self, program, *arguments, sigpp):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command(program, *arguments, sigpp=sigpp),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def send(self, signum):
        self.process.send_signal(signum)

    def end(self):
        """The rest of its output, and its exit status."""
        rest, _ = self.process.communicate(timeout=PATIENCE)
        return rest, self.process.returncode

    def status(self, field):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(line.split()[1] for line in status if line.startswith(f"{field}:"))

    def wait_until_taken(self):
        """Until the kernel has handed over what was sent, and the process sleeps again."""
        while int(self.status("ShdPnd"), 16) or int(self.status("SigPnd"), 16):
            os.sched_yield()
        while self.status("State") != "S":
            os.sched_yield()
