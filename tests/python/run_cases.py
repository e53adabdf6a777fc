#!/usr/bin/env python3
"""run_cases.py PROBE CASES... [--posix]: the same commands for Python and for sigpp, compared.

A file of cases has sections, "[name]", each played with a fresh process of probe.py and one of
PROBE (probe.cpp). A line of a section is one of:

  raise_signal 10 -> None; A(10)          both say this. Errors are written as Python says them;
                                          sigpp must say what TRANSLATION makes of it
  strsignal 10                            both say the same, whatever it is
  getsignal 32 -> None | system_error EINVAL   # why
                                          a difference: Python says the first, sigpp the second
  pidfd_send_signal self 0 -> None | None | system_error ENOSYS   # why
                                          a third: sigpp without what its system has beyond POSIX
  reply -> signo *; slow(12)              a "*" in what is expected stands for anything
  each signal: strsignal *                the line for every word that EACH has for it
  begin sigwait 10                        starts a command and waits until every thread sleeps
  reply -> 10                             what it says in the end
  python: asleep                          a line for one of the two alone

and what this process does to the probe's, by the words in Conversation: "send 10". A difference
needs a reason: "# why" behind it, or a comment before it. Prints what is wrong, and exits with 1
if anything is.
"""

import argparse
import ctypes
import dataclasses
import fnmatch
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE = 30  # seconds; only a probe that hangs comes near
HERE = pathlib.Path(__file__).parent

# What Python says, and what sigpp must say then.
TRANSLATION = [
    (r"(ValueError|OverflowError)", "system_error EINVAL"),
    (r"(OSError|ItimerError) (E\w+)", r"system_error \2"),
    (r"TypeError", "does not compile"),
    (r"KeyboardInterrupt", "keyboard_interrupt"),
    (r"HandlerError", "handler_error"),
]



def is_constant(value):
    """A number, and no handler."""
    return isinstance(value, int) and not isinstance(value, signal.Handlers)


EACH = {
    "signal": [str(n) for n in range(1, signal.NSIG)],
    "constant": [name for name, value in vars(signal).items() if is_constant(value)],
    "member": [*signal.Signals.__members__],
    "named": [str(int(member)) for member in signal.Signals],
}
SIDES = ("python", "sigpp", "posix")


class Stuck(Exception):
    """The probe did not say anything in time, or did not come to rest."""


@dataclasses.dataclass(frozen=True)
class Step:
    line: int
    words: tuple
    expected: tuple  # for each side; None: what the other one says
    only: str  # the side that plays it; "": both


# --- reading the cases --------------------------------------------------------------------------


def translated(text):
    """What sigpp says where Python says `text`."""
    first, *rest = text.split("; ")
    for pattern, replacement in TRANSLATION:
        if re.fullmatch(pattern, first):
            first = re.sub(pattern, replacement, first)
            break
    return "; ".join([first, *rest])


def expectations(text):
    if text is None:
        return (None,) * len(SIDES)
    python, *others = [each.strip() for each in text.split(" | ")]
    sigpp = others[0] if others else translated(python)
    return python, sigpp, others[1] if len(others) > 1 else sigpp


def steps_of(line, number, commented):
    line, _, reason = line.partition(" #")
    only, _, rest = line.partition(": ")
    if only not in SIDES[:2]:
        only, rest = "", line
    if (only or " | " in line) and not (reason or commented):
        sys.exit(f"line {number}: a difference without a reason")
    command, _, expected = rest.partition(" -> ")
    each, _, pattern = command.partition(": ")
    if pattern:
        values = EACH[each.removeprefix("each ")]
        commands = [pattern.replace("*", value) for value in values]
    else:
        commands = [command]
    said = expectations(expected.strip() or None)
    return [Step(number, tuple(each.split()), said, only) for each in commands]


def sections_of(file):
    """name -> steps"""
    sections, steps, commented = {}, [], False
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if header := re.fullmatch(r"\[(.+)\]", line):
            steps = sections.setdefault(header[1], [])
        elif line and not line.startswith("#"):
            steps += steps_of(line, number, commented)
        commented = line.startswith("#") or (commented and line != "" and not header)
    return sections


# --- playing them -------------------------------------------------------------------------------


class Conversation:
    """One probe's process. The methods that `WORDS` names are words of the cases."""

    WORDS = ("asleep", "begin", "byte", "bytes", "errors", "feed", "fill", "hang_up", "reply")
    WORDS += ("send", "send_thread")

    def __init__(self, command):
        self.wake, wake = os.pipe()
        data, self.data = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake, False)
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*command, str(wake), str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            pass_fds=(wake, data),
            preexec_fn=clean_signals,
            restore_signals=False,
            start_new_session=True,
        )
        self.wake_end = wake
        os.close(data)
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for fd in (self.wake, self.wake_end, self.data):
            if fd is not None:
                os.close(fd)
        for stream in (self.process.stdin, self.process.stdout, self.stderr):
            stream.close()

    def play(self, words):
        """Plays one step. Returns what it says."""
        if words[0] in self.WORDS:
            return getattr(self, words[0])(*words[1:])
        self.say(words)
        return self.reply()

    def say(self, words):
        self.process.stdin.write(" ".join(words).encode() + b"\n")
        self.process.stdin.flush()

    def reply(self):
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self.unread:
            if not select.select([self.process.stdout], [], [], deadline - time.monotonic())[0]:
                raise Stuck(f"it said nothing in {PATIENCE} s")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                return self.ending()
            self.unread += data
        line, _, self.unread = self.unread.partition(b"\n")
        return line.decode()

    def begin(self, *words):
        self.say(("begin", *words))
        self.reply()
        self.asleep()

    def asleep(self):
        """Waits until every thread sleeps: the command waits for something."""
        deadline = time.monotonic() + PATIENCE
        before = self.threads()
        while True:
            now = self.threads()
            # No thread has run between the two looks, so they all slept at one time.
            asleep = now == before and all(state == "S" for state, _ in now.values())
            if self.unread or select.select([self.process.stdout], [], [], 0)[0]:
                raise Stuck(f"it does not wait, it said {self.reply()}")
            if asleep:
                return
            if time.monotonic() > deadline:
                raise Stuck(f"it did not come to rest in {PATIENCE} s")
            before = now

    def threads(self):
        """id -> its state, and how often it has been taken off the processor"""
        found = {}
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                status = (task / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            switches = tuple(re.findall(r"ctxt_switches:\t(\d+)", status))
            found[int(task.name)] = (re.search(r"^State:\t(.)", status, re.M)[1], switches)
        return found

    def send(self, signum):
        os.kill(self.process.pid, int(signum))

    def send_thread(self, signum):
        """To the thread that is not the first."""
        others = [thread for thread in self.threads() if thread != self.process.pid]
        ctypes.CDLL(None).tgkill(self.process.pid, max(others), int(signum))

    def byte(self):
        """The next byte of the wakeup fd. Waits for it."""
        if not select.select([self.wake], [], [], PATIENCE)[0]:
            raise Stuck(f"no byte in {PATIENCE} s")
        return str(os.read(self.wake, 1)[0])

    def bytes(self):
        """What there is to read from the wakeup fd."""
        try:
            return " ".join(map(str, os.read(self.wake, 1 << 20)))
        except BlockingIOError:
            return "none"

    def fill(self):
        """Fills the wakeup fd's pipe up."""
        try:
            while True:
                os.write(self.wake_end, bytes(1))
        except BlockingIOError:
            pass

    def hang_up(self):
        """Nobody reads from the wakeup fd any more."""
        os.close(self.wake)
        self.wake = None

    def feed(self):
        """Gives "x" to who reads from "data"."""
        os.write(self.data, b"x")

    def errors(self):
        """What it has written to stderr when it has ended."""
        self.ending()
        self.stderr.seek(0)
        return self.stderr.read().decode() or "nothing"

    def ending(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Stuck(f"it did not end in {PATIENCE} s") from None
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit {status}"


def clean_signals():
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def play(steps, side, command):
    """What each step says, and what is wrong beside that."""
    said, wrong = [], []
    with Conversation(command) as conversation:
        try:
            for step in steps:
                mine = not step.only or (step.only == "python") == (side == "python")
                said.append(conversation.play(step.words) if mine else None)
            if not any("errors" in step.words for step in steps):
                errors = conversation.errors()
                if errors != "nothing":
                    wrong.append(f"{side} wrote to stderr: {errors}")
        except Stuck as reason:
            wrong.append(f"line {steps[len(said)].line}: {side}: {reason}")
            said += [None] * (len(steps) - len(said))
    return said, wrong


def says(got, want, words):
    return want in got if "errors" in words else fnmatch.fnmatchcase(got, want)


def compare(steps, posix, probe):
    """What is wrong in a section."""
    side = "posix" if posix else "sigpp"
    python, wrong = play(steps, "python", [sys.executable, "-I", "-B", HERE / "probe.py"])
    sigpp, more = play(steps, side, [probe])
    wrong += more
    if wrong:
        return wrong
    for step, *replies in zip(steps, python, sigpp):
        text = " ".join(step.words)
        expected = step.expected[0], step.expected[SIDES.index(side)]
        for who, want, got in zip(("python", side), expected, replies):
            if None not in (want, got) and not says(got, want, step.words):
                wrong.append(f"line {step.line}: {text}: {who} said {got}, not {want}")
        if expected == (None, None) and not step.only and replies[0] != replies[1]:
            wrong.append(f"line {step.line}: {text}: python said {replies[0]}, {side} {replies[1]}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("probe")
    parser.add_argument("cases", type=pathlib.Path, nargs="+")
    parser.add_argument("--posix", action="store_true")
    arguments = parser.parse_args()
    failed = 0
    for file in arguments.cases:
        for name, steps in sections_of(file).items():
            wrong = compare(steps, arguments.posix, arguments.probe)
            failed += bool(wrong)
            print(f"{file.stem}: {name}: {'DIFFERENT' if wrong else f'{len(steps)} steps'}")
            print("".join(f"  {line}\n" for line in wrong), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
