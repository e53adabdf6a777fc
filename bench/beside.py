"""What else is measured beside what, and what sigpp promises: see ../docs/benchmarks.md."""

from pathlib import Path

BASE = "raw handler"

# waiting.cpp: name in tables -> variant
WAITING = {
    "raw handler": "raw_handler",
    "raw sigwaitinfo": "raw_sigwaitinfo",
    "raw signalfd + epoll": "raw_signalfd",
    "self-pipe + poll": "raw_self_pipe",
    "sigpp pause": "sigpp_pause",
    "sigpp sleep_for": "sigpp_sleep_for",
    "sigpp stream.next": "sigpp_stream",
    "sigpp background": "sigpp_background",
    "sigpp epoll": "sigpp_epoll",
}

# Of Google Benchmark's programs: which of them --quick runs, and which of their counters matter.
QUICK = ("safe_point", "blocking")
COUNTERS = ("arm_ns", "cancel_ns", "fire_ns", "bytes", "median_ns", "p99_ns", "drift_ns",
            "left_out")

_LOOP = "To ask 1000 times whether a signal has come{}; `nothing` does not ask."

# group -> title, what ratios are formed to, what is measured
MICRO = {
    "empty_loop": ("Safe points in an empty loop", "relaxed_load", _LOOP.format("")),
    "unrolled_loop": ("Safe points, eight in a turn", "relaxed_load",
                      _LOOP.format(", eight times in a turn")),
    "working_loop": ("Safe points in a loop that works", "relaxed_load",
                     _LOOP.format(", with 10 ns of work in between")),
    "empty_loop_shared": ("Safe points in an empty loop, sigpp as a shared library",
                          "relaxed_load", _LOOP.format("")),
    "unrolled_loop_shared": ("Safe points, eight in a turn, sigpp as a shared library",
                             "relaxed_load", _LOOP.format(", eight times in a turn")),
    "working_loop_shared": ("Safe points in a loop that works, sigpp as a shared library",
                            "relaxed_load", _LOOP.format(", with 10 ns of work in between")),
    "read": ("read without a signal", "raw", "One byte that is there."),
    "write": ("write without a signal", "raw", "One byte for which there is room."),
    "send_and_recv": ("send and recv without a signal", "raw", "One byte over a socket."),
    "poll": ("poll without a signal", "raw", "A descriptor that is ready."),
    "timers": ("Timers", "libuv", "To cancel one of so many pending timers, anywhere among them, and to arm "
               "it again. `arm`, `cancel` and `fire` in ns; bytes of the heap for each."),
    "beat_1ms": ("A timer that beats each millisecond", "timerfd",
                 "How late its ticks are, in ns; how much the beat drifts; how many came with another."),
    "scoped_timeout": ("A deadline around a call that completes", "clock_read",
                       "To set it, and to take it back."),
    "subscribers": ("A signal with so many subscribers", "raw",
                    "From `kill` of the own process until each has been called."),
    "signals": ("So many signals in use", "raw", "From `kill` of the own process to its handler."),
    "threads": ("So many threads that sleep in sigpp", "raw",
                "From `kill` of the own process to its handler."),
    "first_signal": ("The first call in a process", "sigaction", "In a child that was just forked."),
}


def lost_wakeups(build, whole):
    """Name in tables, command without the number of trials, share of the trials."""
    program = str(build / "lost_wakeups")
    script = ["/usr/bin/python3",
              str(Path(__file__).parent / "lost_wakeups" / "lost_wakeups.py")]
    yield from ((f"sigpp {each}", [program, f"sigpp_{each}"], 1) for each in
                ("read", "sleep_for", "pause"))
    yield from ((f"naive {each}", [program, f"naive_{each}"], 0.2) for each in
                ("read", "nanosleep", "pause"))
    yield from ((each, [program, each], 0.2) for each in ("pselect", "self_pipe"))
    yield from ((f"CPython {each}", script + [each], 0.01) for each in
                ("os_read", "time_sleep", "signal_pause", "wakeup_fd"))
    package = whole.resolve() / "python/package"
    if package.is_dir():
        with_sigpp = ["env", f"PYTHONPATH={package}", script[0], "-m", "sigpp", script[1]]
        yield from ((f"sigpp, CPython {each}", with_sigpp + [each], 0.01) for each in
                    ("os_read", "time_sleep", "signal_pause"))


# Beginning of a promise -> why it is missed, if it is.
WHY = {
    "handler runs, thread waiting": "sigwaitinfo by itself takes most of it; what is left is three more system "
                                    "calls, for [the mask and the handlers of others](decisions/0008-waiting.md)",
    "event-loop adapter": "a handler, an eventfd and epoll_wait. signalfd is quicker, and asks the program to block "
                          "its signals in every thread and every child",
    "background": "the kernel gives the signal to the main thread, whose handler wakes the other one: a switch of "
                  "threads more",
    "ping-pong": "as for a thread that waits",
    "standard storm": "the rest is merged by the kernel while the thread is busy with others: compare sigwaitinfo in "
                      "this run, and [how](decisions/0020-polling.md)",
    "the same: CPU": "the handler runs for half the queue before it leaves the rest to the kernel",
    "program that handles INT and TERM: start ÷ plain C++": "some pages of memory more are touched",
    "program that handles": "loading the C++ library alone is most of that: see plain C++",
    "its memory over plain C": "most of it is the C++ library's: see plain C++",
}


def budgets(results):
    """What the design promises: promise, limit, (what was measured, is it kept) or None."""
    def find(workload, name, key):
        for each in results["workloads"]:
            if each["name"] == workload:
                for row in each["rows"]:
                    if row["name"] == name:
                        return row.get(key)
        return None

    def at_most(limit, value, unit=" x"):
        return None if value is None else (f"{value:.3g}{unit}", value <= limit)

    def quotient(group, ours, base, key="best"):
        a, b = find(group, ours, key), find(group, base, key)
        return a / b if a is not None and b else None

    def at_least(limit, value):
        return None if value is None else (f"{value:.3g} %", value >= limit)

    def smallest(values):
        known = [each for each in values if each is not None]
        return min(known) if known else None

    yield ("handler runs, thread waiting in sigpp ÷ raw handler", "≤ 0.8",
           at_most(0.8, smallest(find("waiting", f"sigpp {way}", "median_ratio")
                                 for way in ("pause", "sleep_for", "stream.next"))))
    check, flag = find("latency", "sigpp check", "median"), find("latency", "raw flag", "median")
    yield ("handler runs, thread running check() ÷ flag in a raw handler", "≤ 1.15",
           at_most(1.15, check / flag if check and flag else None))
    yield ("event-loop adapter ÷ raw handler", "≤ 1.2",
           at_most(1.2, find("waiting", "sigpp epoll", "median_ratio")))
    yield ("background ÷ raw handler", "≤ 1.2",
           at_most(1.2, find("waiting", "sigpp background", "median_ratio")))
    yield ("event-loop adapter ÷ sd-event, in the own process", "≤ 1",
           at_most(1, quotient("latency", "sigpp epoll", "sd-event", "median")))
    yield ("ping-pong, same processor ÷ raw handler", "≤ 0.9",
           at_most(0.9, smallest(find("trips_same", f"sigpp {way}", "trip_ratio")
                                 for way in ("pause", "stream"))))
    yield ("standard storm, one sender: handled", "≥ 60 %",
           at_least(60, find("standard_storm_1", "sigpp stream", "handled")))
    yield ("the same: CPU per signal sent ÷ raw sigwaitinfo", "≤ 1.3",
           at_most(1.3, quotient("standard_storm_1", "sigpp stream", "raw sigwaitinfo",
                                 "cpu_sent")))
    yield ("queued storm: handled", "all",
           at_least(100, find("queued_storm", "sigpp stream", "handled")))
    yield ("queued storm: CPU per signal ÷ raw sigwaitinfo", "≤ 1.3",
           at_most(1.3, quotient("queued_storm", "sigpp stream", "raw sigwaitinfo", "cpu_sent")))
    lost = find("late", "sigpp pause", "lost_after")
    heard = find("late", "sigpp pause", "most")
    yield ("SIGTERM behind others, to a late loop", "never lost",
           None if heard is None else
           (f"heard behind {heard:,}" if lost is None else f"lost behind {lost:,}", lost is None))
    yield ("check() ÷ one relaxed load", "≤ 1.2",
           at_most(1.2, quotient("unrolled_loop", "sigpp_check", "relaxed_load")))
    yield ("sigpp::read, no signal ÷ raw call", "≤ 1.02",
           at_most(1.02, quotient("read", "sigpp", "raw")))
    def arm_and_cancel(library):
        both = [find("timers", f"{library}/100000", key) for key in ("arm_ns", "cancel_ns")]
        return None if None in both else sum(both)

    ours, libuvs = arm_and_cancel("sigpp"), arm_and_cancel("libuv")
    yield ("one of 100 000 timers: arm, with a look at the clock, and cancel ÷ libuv", "≤ 1",
           at_most(1, ours / libuvs if ours and libuvs else None))
    yield ("the same: memory ÷ libuv", "≤ 1",
           at_most(1, quotient("timers", "sigpp/100000", "libuv/100000", "bytes")))
    scope, clock = find("scoped_timeout", "sigpp", "best"), find("scoped_timeout", "clock_read",
                                                                 "best")
    yield ("scoped timeout over a clock read", "≤ 40 ns",
           at_most(40, scope - clock if scope and clock else None, " ns"))
    misses = [find("lost_wakeups", f"sigpp {way}", "lost") for way in ("read", "sleep_for", "pause")]
    tried = find("lost_wakeups", "sigpp read", "trials")
    yield ("wake-ups lost", "0",
           None if None in misses else (f"{sum(misses)} of {3 * tried:,}", sum(misses) == 0))
    for base, what in (("plain C", "plain C"), (BASE, "plain C++ (raw handler)")):
        yield (f"program that handles INT and TERM: start ÷ {what}", "≤ 1.05",
               at_most(1.05, quotient("start", "sigpp pause", base, "start")))
        ours, plain = (find("start", name, "anonymous") for name in ("sigpp pause", base))
        yield (f"its memory over {what}", "≤ 100 kB",
               at_most(100, ours - plain if ours and plain else None, " kB"))
    for key in ("descriptors", "threads"):
        ours, plain = (find("start", name, key) for name in ("sigpp pause", "plain C"))
        yield (f"its {key} over plain C", "0",
               at_most(0, ours - plain if ours and plain else None, ""))

