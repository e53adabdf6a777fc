"""Runs a program, sends it real signals from this process, and writes down what happens.

A script is text. A line `--> SIGUSR1` sends that signal, `--> Ctrl+C` types it at the program's
terminal; `... nothing for 2 s` waits so long, to see whether the program prints something or ends;
`==> hello` sends a line to the port that the program has named, `<== hello` waits for its answer,
whatever it is, and `==> (closes)` ends that connection; any other line waits until the program has
printed a line, whatever it says; the last one stands for the program's end. A transcript has the
same form: a script is also what is expected.
"""

import contextlib
import dataclasses
import fcntl
import os
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import termios
import time

PATIENCE = 30  # seconds for one line, or for the end. Only a program that hangs comes near.
SEND = "--> "
SAY = "==> "
HEAR = "<== "
HANG_UP = "==> (closes)"
PORT = re.compile(rb"(?<= port )\d+")  # in what a program prints: it stands as N in the transcript
SILENCE = re.compile(r"\.\.\. nothing for (?P<seconds>[\d.]+) s")


class Stuck(Exception):
    """The program did not print a line, or did not end, in time."""


@dataclasses.dataclass(frozen=True)
class Transcript:
    text: str  # in the form of a script
    output: bytes  # stdout, byte for byte
    errors: bytes  # stderr
    seconds: float


class Program:
    """A running program. Its stdin is /dev/null or a terminal, and no signal is blocked in it."""

    def __init__(self, command, terminal=False, ignored=()):
        self.started = time.monotonic()
        self.output = b""
        self._unread = b""
        self._port = self._client = None
        self._errors = tempfile.TemporaryFile()  # a file cannot fill up as a pipe can
        if terminal:
            self._reader, stdin = pty.openpty()
            make_plain(stdin)
            stdout = stdin
        else:
            self._reader, stdout = os.pipe()
            stdin = subprocess.DEVNULL

        def prepare():
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self._process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=self._errors,
            preexec_fn=prepare,
            restore_signals=False,
            start_new_session=True,
        )
        os.close(stdout)

    def close(self):
        if self._process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)  # and a worker that it has started
            self._process.wait()
        self.disconnect()
        os.close(self._reader)
        self._errors.close()

    @property
    def pid(self):
        return self._process.pid

    def read_line(self):
        """The next line with its end, or what there is before the end of the output."""
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self._unread and self._read_some(deadline):
            pass
        line, end, self._unread = self._unread.partition(b"\n")
        if port := PORT.search(line):
            self._port = int(port[0])
        return PORT.sub(b"N", line) + end

    def send(self, signum):
        os.kill(self.pid, signum)
        if signum == signal.SIGSTOP:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def type(self, keys):
        os.write(self._reader, keys)

    def say(self, line):
        """Sends a line to its port, by a connection that lasts until disconnect()."""
        if self._client is None:
            connected = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
            self._client = connected.makefile("rw", encoding="utf-8")
            connected.close()  # the file goes on
        try:
            self._client.write(line + "\n")
            self._client.flush()
        except OSError as error:
            raise Stuck(f"it did not listen: {error}") from None

    def hear(self):
        """The next line that it answers; empty at the end of the connection."""
        try:
            return self._client.readline().rstrip("\n")
        except OSError as error:
            raise Stuck(f"it did not answer: {error}") from None

    def disconnect(self):
        if self._client is not None:
            with contextlib.suppress(OSError):  # what was not sent
                self._client.close()
            self._client = None

    def hang_up(self):
        """Closes the terminal's window, so to speak."""
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), self._reader, inheritable=False)

    def waits_for_lines(self):
        """Whether the terminal holds keys back until Return, as it does at first."""
        return bool(termios.tcgetattr(self._reader)[3] & termios.ICANON)

    def is_silent(self, seconds):
        """Whether it prints nothing for so long, nor ends."""
        return not (self._unread or select.select([self._reader], [], [], seconds)[0])

    def finish(self):
        """Waits for the end. Returns the rest of the output and how the program ended."""
        deadline = time.monotonic() + PATIENCE
        while self._read_some(deadline):
            pass
        try:
            status = self._process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Stuck(f"it closed its output, but did not end in {PATIENCE} s") from None
        rest, self._unread = self._unread, b""
        if status < 0:
            return rest, f"killed by {signal.Signals(-status).name}"
        return rest, f"exit status {status}"

    def errors(self):
        self._errors.seek(0)
        return self._errors.read()

    def _read_some(self, deadline):
        """False at the end of the output."""
        if not select.select([self._reader], [], [], max(0, deadline - time.monotonic()))[0]:
            raise Stuck(f"it printed nothing, and did not end, in {PATIENCE} s")
        try:
            data = os.read(self._reader, 65536)
        except OSError:  # a terminal that no process has open any more
            data = b""
        self.output += data
        self._unread += data
        return data != b""


def make_plain(terminal):
    """No echo and no CR: the bytes that come out are those that the program wrote."""
    mode = termios.tcgetattr(terminal)
    mode[1] &= ~termios.OPOST
    mode[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, mode)


def play(script, command, terminal=False, ignored=()):
    """Plays `script` with the program that `command` starts."""
    *steps, _ = script.splitlines()
    said = []
    with contextlib.closing(Program(command, terminal, ignored)) as program:
        try:
            for step in steps:
                said += perform(step, program)
            rest, ending = program.finish()
            said += [*shown(rest), ending]
        except Stuck as reason:
            said.append(f"stuck: {reason}")
        seconds = time.monotonic() - program.started
        text = "".join(line + "\n" for line in said)
        return Transcript(text, program.output, program.errors(), seconds)


def perform(step, program):
    """Does one step of a script. Returns what has happened, as lines of a transcript."""
    if silence := SILENCE.fullmatch(step):
        silent = program.is_silent(float(silence["seconds"]))
        return [step] if silent else shown(program.read_line())
    if step.startswith(HEAR):
        return [HEAR + program.hear()]
    if step == f"{SEND}Ctrl+C":
        program.type(b"\x03")
    elif step.startswith(SEND):
        program.send(signal.Signals[step.removeprefix(SEND)])
    elif step == HANG_UP:
        program.disconnect()
    elif step.startswith(SAY):
        program.say(step.removeprefix(SAY))
    else:
        return shown(program.read_line())
    return [step]


def shown(output):
    """Output as lines of a transcript."""
    lines = output.decode(errors="backslashreplace").splitlines(keepends=True)
    return [line[:-1] if line.endswith("\n") else f"{line} (no newline)" for line in lines]
