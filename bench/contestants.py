#!/usr/bin/env python3
"""The contestants: what tables call each, how it is called, what it needs, what its version is.

contestants.py [--quick] prints what scripts/packages is to install."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "contestants"


@dataclass(frozen=True)
class Contestant:
    name: str  # in tables
    program: str  # in the folder of what was built, or a script in contestants/
    version: str  # a shell command that prints it
    packages: str = ""  # pairs for scripts/packages
    variant: str = ""
    interpreter: str = ""
    quick: bool = False  # is it in the run of two minutes?
    realtime: bool = True  # False: no real-time signal may be sent to it, it would die

    def command(self, built):
        """What to call, before mode and number; built: build/bench/bench/contestants."""
        program = (SOURCE if self.interpreter else Path(built)) / self.program
        return [part for part in (self.interpreter, str(program), self.variant) if part]

    def missing(self, built):
        """Why it cannot be called, or None."""
        proof = self.command(built)[0]
        if shutil.which(proof):
            return None
        return f"{proof} is not there; it needs {self.packages or 'to be built'}"

    def version_told(self):
        told = subprocess.run(
            self.version, shell=True, cwd=SOURCE, text=True, capture_output=True, check=False
        ).stdout
        return told.strip() or "unknown"


def debian(package):
    return f"dpkg-query -W -f '${{Version}}' {package}"


SIGPP_VERSION = "git describe --always --dirty"


def sigpp(variant, quick=False):
    return Contestant(f"sigpp {variant}", "sigpp", SIGPP_VERSION, variant=variant, quick=quick)


def system_call(name, program, quick=True):
    return Contestant(name, program, "uname -r | cut -d- -f1", quick=quick)


def library(name, program, header, package, quick=True):
    pair = f"/usr/include/{header}={package}"
    return Contestant(name, program, debian(package), pair, quick=quick)


def rust(name, program, crate):
    package = f"librust-{crate}-dev"
    pairs = f"cargo=cargo /usr/share/doc/{package}={package}"
    return Contestant(name, f"rust/release/{program}", debian(package), pairs)


def python(name, program, variant="", quick=False):
    return Contestant(
        name,
        program,
        "/usr/bin/python3 --version",
        "/usr/bin/python3=python3",
        variant,
        "/usr/bin/python3",  # Debian's, whatever else PATH has
        quick,
    )


# --quick leaves out what takes a toolchain of its own to build, and what shows the same again.
CONTESTANTS = [
    Contestant("sigpp pause", "sigpp_pause", SIGPP_VERSION, quick=True),
    sigpp("check", quick=True),
    sigpp("stream"),
    sigpp("background", quick=True),
    sigpp("epoll", quick=True),
    system_call("raw handler", "raw_handler"),
    system_call("raw flag", "raw_flag"),
    system_call("raw sigwaitinfo", "raw_sigwaitinfo"),
    system_call("raw signalfd + epoll", "raw_signalfd"),
    system_call("self-pipe + poll", "self_pipe", quick=False),
    library("sd-event", "sd_event", "systemd/sd-event.h", "libsystemd-dev"),
    library("libuv", "libuv", "uv.h", "libuv1-dev"),
    library("Asio", "asio", "asio.hpp", "libasio-dev"),
    library("libevent", "libevent", "event2/event.h", "libevent-dev", quick=False),
    library("libev", "libev", "ev.h", "libev-dev", quick=False),
    Contestant("Go os/signal", "go_signal", "go version", "go=golang-go"),
    rust("signal-hook iterator", "signal_hook_iterator", "signal-hook"),
    rust("signal-hook low level", "signal_hook_action", "signal-hook"),
    rust("tokio", "tokio_signal", "tokio"),
    Contestant(
        "Node", "node.js", "node --version", "node=nodejs", interpreter="node", realtime=False
    ),
    python("CPython signal", "cpython.py", "signal", quick=True),
    python("CPython sigwaitinfo", "cpython.py", "sigwaitinfo"),
    python("asyncio", "asyncio_loop.py"),
    Contestant(
        "cysignals (SIGALRM)",
        "cysignals_interrupt",
        debian("python3-cysignals-bare"),
        "/usr/bin/cython3=cython3 /usr/bin/python3-config=python3-dev"
        " /usr/lib/python3/dist-packages/cysignals=python3-cysignals-bare",
    ),
]


if __name__ == "__main__":
    asked = [c for c in CONTESTANTS if c.quick or "--quick" not in sys.argv]
    print(*dict.fromkeys(pair for c in asked for pair in c.packages.split()))
