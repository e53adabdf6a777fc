"""What is played: the document's programs, as Python and as C++, and the signals that they get."""

import dataclasses
from signal import SIGINT, SIGUSR1, SIGUSR2

from document import block_with, without


@dataclasses.dataclass(frozen=True)
class Scene:
    name: str
    example: str  # the C++ program
    script: str  # the signals to send, and the transcript that must come of it: see player.py
    title: str
    python: str | None = None  # the program as Python; None: the document has none
    python_errors: str = ""  # how Python's stderr ends. sigpp's programs write nothing there.
    arguments: tuple = ()
    terminal: bool = False
    ignored: tuple = ()  # signals that are ignored when the program starts
    seconds: tuple = (0, 60)  # at least, less than


# Blocks after the first take these for granted.
IMPORTS = "import signal\nimport time\n"
# The one-line blocks need something to do meanwhile.
WAIT = 'print("Waiting...")\nwhile True:\n    time.sleep(1)\n'

BASIC = block_with("Gracefully shutting down")
USER = block_with("signal.SIGUSR1")
IGNORE = block_with("signal.SIG_IGN")
DEFAULT = block_with("signal.SIG_DFL")
TIMER = block_with("signal.ITIMER_REAL")

# The first program, had it not asked for SIGINT: Python raises KeyboardInterrupt.
UNHANDLED = without(BASIC.code, "signal.signal(signal.SIGINT, handle_signal)")

SCENES = [
    Scene(
        "graceful_shutdown",
        "graceful_shutdown",
        f"""\
Press Ctrl+C to exit...
--> SIGINT
Received signal: {SIGINT:d}. Gracefully shutting down.
exit status 0
""",
        title=BASIC.heading,
        python=BASIC.code,
    ),
    Scene(
        "graceful_shutdown_ctrl_c",
        "graceful_shutdown",
        f"""\
Press Ctrl+C to exit...
--> Ctrl+C
Received signal: {SIGINT:d}. Gracefully shutting down.
exit status 0
""",
        title=f"{BASIC.heading}, Ctrl+C typed at a terminal",
        python=BASIC.code,
        terminal=True,
    ),
    Scene(
        "graceful_shutdown_twice",
        "graceful_shutdown",
        f"""\
Press Ctrl+C to exit...
--> SIGSTOP
--> SIGINT
--> SIGINT
--> SIGCONT
Received signal: {SIGINT:d}. Gracefully shutting down.
exit status 0
""",
        title=f"{BASIC.heading}, two that come at once",
        python=BASIC.code,
    ),
    Scene(
        "minimal",
        "minimal",
        f"""\
Press Ctrl+C to exit...
--> Ctrl+C
Received signal: {SIGINT:d}. Gracefully shutting down.
exit status 0
""",
        title=f"{BASIC.heading}, the program of the README",
        python=BASIC.code,
        terminal=True,
    ),
    Scene(
        "user_signals",
        "user_signals",
        f"""\
Waiting for SIGUSR1 or SIGUSR2...
--> SIGUSR1
Received user signal: {SIGUSR1:d}
--> SIGUSR2
Received user signal: {SIGUSR2:d}
--> SIGUSR2
Received user signal: {SIGUSR2:d}
--> SIGUSR1
Received user signal: {SIGUSR1:d}
--> SIGTERM
killed by SIGTERM
""",
        title=USER.heading,
        python=IMPORTS + USER.code,
    ),
    Scene(  # what the kernel does with them: equal ones merge, the lowest number comes first
        "user_signals_at_once",
        "user_signals",
        f"""\
Waiting for SIGUSR1 or SIGUSR2...
--> SIGSTOP
--> SIGUSR2
--> SIGUSR1
--> SIGUSR1
--> SIGCONT
Received user signal: {SIGUSR1:d}
Received user signal: {SIGUSR2:d}
--> SIGUSR1
Received user signal: {SIGUSR1:d}
--> SIGTERM
killed by SIGTERM
""",
        title=f"{USER.heading}, three that come at once",
        python=IMPORTS + USER.code,
    ),
    Scene(
        "ignore_sigterm",
        "ignore_sigterm",
        """\
Waiting...
--> SIGTERM
--> SIGTERM
--> SIGTERM
--> SIGKILL
killed by SIGKILL
""",
        title=IGNORE.heading,
        python=IMPORTS + IGNORE.code + WAIT,
    ),
    Scene(
        "default_sigint",
        "default_sigint",
        """\
Waiting...
--> SIGINT
killed by SIGINT
""",
        title=DEFAULT.heading,
        python=IMPORTS + DEFAULT.code + WAIT,
    ),
    Scene(
        "timeout",
        "timeout",
        """\
Waiting for timeout...
Timeout! Exiting.
exit status 1
""",
        title=TIMER.heading,
        python=IMPORTS + TIMER.code,
        seconds=(5, 10),
    ),
    Scene(
        "keyboard_interrupt",
        "run_script",
        """\
Press Ctrl+C to exit...
--> SIGINT
killed by SIGINT
""",
        title="Ctrl+C that nobody handles",
        python=UNHANDLED,
        python_errors="KeyboardInterrupt\n",
    ),
    Scene(
        "keyboard_interrupt_ctrl_c",
        "run_script",
        """\
Press Ctrl+C to exit...
--> Ctrl+C
killed by SIGINT
""",
        title="Ctrl+C that nobody handles, typed at a terminal",
        python=UNHANDLED,
        python_errors="KeyboardInterrupt\n",
        terminal=True,
    ),
    Scene(
        "keyboard_interrupt_ignored",
        "run_script",
        """\
Press Ctrl+C to exit...
--> SIGINT
--> SIGTERM
killed by SIGTERM
""",
        title="Ctrl+C when it was ignored from the start, as in a job that a script has started with &",
        python=UNHANDLED,
        ignored=(SIGINT,),
    ),
    Scene(
        "putting_it_together",
        "putting_it_together",
        """\
Configuration loaded.
Waiting for signals...
--> SIGHUP
Configuration loaded.
--> SIGUSR2
Asking the worker.
Worker: done.
The worker has answered.
--> SIGPIPE
--> SIGTTIN
--> SIGUSR2
Asking the worker.
Worker: done.
The worker has answered.
--> SIGTERM
SIGTERM: shutting down.
Goodbye.
exit status 0
""",
        title="When to Use Signals, all of it together",
    ),
    Scene(
        "putting_it_together_ctrl_c",
        "putting_it_together",
        """\
Configuration loaded.
Waiting for signals...
--> Ctrl+C
SIGINT: shutting down.
Goodbye.
exit status 0
""",
        title="When to Use Signals, Ctrl+C typed at a terminal",
        terminal=True,
    ),
    Scene(
        "putting_it_together_silence",
        "putting_it_together",
        """\
Configuration loaded.
Waiting for signals...
SIGALRM: shutting down.
Goodbye.
exit status 0
""",
        title="When to Use Signals, nobody sends any",
        arguments=("0.1",),
    ),
    Scene(
        "read_lines_ctrl_c",
        "read_lines",
        """\
Type lines. Ctrl+D ends, Ctrl+C interrupts.
--> Ctrl+C
Interrupted.
exit status 1
""",
        title="Input that another thread reads, Ctrl+C typed at a terminal",
        terminal=True,
    ),
    Scene(
        "read_lines_to_the_end",
        "read_lines",
        """\
Type lines. Ctrl+D ends, Ctrl+C interrupts.
End of input.
exit status 0
""",
        title="Input that another thread reads, to its end",
    ),
    Scene(
        "two_parts",
        "two_parts",
        """\
Server: accepting.
--> SIGHUP
Cache: flushed, on SIGHUP.
--> SIGTERM
Cache: flushed, on SIGTERM.
Server: accepts no more.
Both are gone.
--> SIGTERM
killed by SIGTERM
""",
        title="Two parts of a program that both want SIGTERM",
    ),
    Scene(
        "interrupt",
        "interrupt",
        """\
Nobody writes to the pipe.
Worker: nothing within 2 seconds.
Worker: another thread has interrupted me.
Worker: reads on. Press Ctrl+C.
--> Ctrl+C
Main: Ctrl+C.
Worker: interrupted.
exit status 0
""",
        title="A read that never ends, ended by a deadline, by another thread, and by Ctrl+C",
        terminal=True,
        seconds=(2, 60),
    ),
    Scene(
        "interrupt_naive",
        "interrupt_naive",
        """\
Worker: reads. Nobody writes. Press Ctrl+C.
--> Ctrl+C
... nothing for 2 s
--> Ctrl+C
... nothing for 2 s
--> SIGKILL
killed by SIGKILL
""",
        title="The same without sigpp: it hangs",
        terminal=True,
    ),
    Scene(
        "timers",
        "timers",
        """\
1000 timers, in order.
Three ticks, at least.
The inner deadline.
The outer deadline.
exit status 0
""",
        title="A thousand timers, a periodic one, deadlines inside deadlines",
    ),
    Scene(
        "server",
        "server",
        """\
Configuration loaded.
Listening on port N.
==> hello
<== hello
--> SIGHUP
Configuration loaded.
--> SIGTERM
SIGTERM: accepting no more. Once more to end at once.
==> are you still there?
<== are you still there?
--> SIGHUP
Configuration loaded.
==> (closes)
All are served.
killed by SIGTERM
""",
        title="A server that reloads, drains, and dies honestly",
        arguments=("0",),
    ),
    Scene(
        "server_grace",
        "server",
        """\
Configuration loaded.
Listening on port N.
==> hello
<== hello
--> SIGTERM
SIGTERM: accepting no more. Once more to end at once.
killed by SIGTERM
""",
        title="A client that stays for ever: the server dies at the end of its grace",
        arguments=("0", "1"),
        seconds=(1, 60),
    ),
    Scene(
        "server_twice",
        "server",
        """\
Configuration loaded.
Listening on port N.
==> hello
<== hello
--> Ctrl+C
SIGINT: accepting no more. Once more to end at once.
... nothing for 0.5 s
--> Ctrl+C
killed by SIGINT
""",
        title="The same, and Ctrl+C twice",
        arguments=("0",),
        terminal=True,
    ),
]
