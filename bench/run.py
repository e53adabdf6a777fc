#!/usr/bin/env python3
"""Measures sigpp beside its peers. scripts/bench calls this; see bench/README.md.

Each round runs every entry of a workload once, A B C A B C ..., so that what else the machine does
hits them alike. A ratio is formed within its round, and what is reported is the median of those.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import beside
import report
from contestants import CONTESTANTS

HERE = Path(__file__).resolve().parent
BASE = "raw handler"


class Lost(Exception):
    """The contestant waits for a signal that it has lost."""


@dataclass
class Entry:
    """One contestant in one workload."""
    name: str
    command: list
    patience: float = 60


@dataclass
class Workload:
    """`values`: JSON key of the output -> unit. `base`: the entry that ratios are formed to."""
    name: str
    title: str
    about: str
    entries: list
    values: dict
    base: str
    rounds: int
    problems: dict = field(default_factory=dict)  # entry -> what went wrong, round by round


def run(entry):
    """What the entry prints, as JSON."""
    try:
        done = subprocess.run(entry.command, capture_output=True, text=True, timeout=entry.patience)
    except subprocess.TimeoutExpired as late:
        raise Lost(f"no end within {entry.patience:.0f} s") from late
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise RuntimeError(said)
    return json.loads(done.stdout)


def measure(workload):
    """Rounds of all entries; returns entry -> list of outputs, one for each round."""
    samples = {entry.name: [] for entry in workload.entries}
    for number in range(workload.rounds):
        for entry in workload.entries:
            if entry.name in workload.problems and not samples[entry.name]:
                continue
            say(f"{workload.name}: round {number + 1} of {workload.rounds}: {entry.name}")
            try:
                samples[entry.name].append(run(entry) | {"round": number})
            except (Lost, RuntimeError) as error:
                workload.problems.setdefault(entry.name, []).append(str(error))
    return samples


def say(text):
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def summary(workload, samples):
    """Medians, and medians of ratios to the base within each round."""
    rows = []
    base = {each["round"]: each for each in samples.get(workload.base, [])}
    for entry in workload.entries:
        mine = samples[entry.name]
        problems = workload.problems.get(entry.name, [])
        row = {"name": entry.name, "failed_rounds": len(problems)}
        if not mine:
            rows.append(row | {"problem": problems[0]})
            continue
        for key in workload.values:
            told = [each for each in mine if each[key] is not None]
            row[key] = statistics.median(each[key] for each in told) if told else None
            ratios = [each[key] / base[each["round"]][key] for each in told
                      if each["round"] in base and base[each["round"]][key]]
            if ratios:
                row[key + "_ratio"] = statistics.median(ratios)
                row[key + "_spread"] = [min(ratios), max(ratios)]
        rows.append(row)
    return {"name": workload.name, "title": workload.title, "about": workload.about,
            "base": workload.base, "values": workload.values, "rounds": workload.rounds,
            "rows": rows}


def storm_values(output):
    """Per-signal costs out of what the driver prints for a storm."""
    said = output["said"]
    if said is None:  # it has not heard SIGTERM, and so has not told
        return {"handled": None, "cpu_sent": None, "cpu_handled": None, "in_order": None,
                "term": False}
    handled = said["queued" if output["queued"] else "standard"]
    if handled is None:
        raise RuntimeError("it hears no such signals")
    return {"handled": 100 * handled / output["sent"],
            "cpu_sent": output["cpu"] / output["sent"],
            "cpu_handled": output["cpu"] / handled if handled else None,
            "in_order": said["in_order"], "term": output["term"]}


def storms(driver, built, chosen, number, senders, rounds):
    """A storm has its own columns: what is handled matters more than a ratio of times."""
    kind = "standard" if senders else "queued"
    samples = {one.name: [] for one in chosen}
    problems = {one.name: "it hears no real-time signals" for one in chosen
                if not senders and not one.realtime}
    for _ in range(rounds):
        for one in chosen:
            if one.name in problems:
                continue
            say(f"storm, {kind}: {one.name}")
            words = [driver, kind, str(number)] + ([str(senders)] if senders else [])
            try:
                output = run(Entry(one.name, words + ["--"] + one.command(built), 120))
                samples[one.name].append(storm_values(output | {"queued": not senders}))
            except (Lost, RuntimeError) as error:
                problems[one.name] = str(error)
    rows = []
    for one in chosen:
        mine = samples[one.name]
        if not mine:
            rows.append({"name": one.name, "problem": problems[one.name]})
            continue
        row = {"name": one.name, "term": all(each["term"] for each in mine),
               "in_order": mine[0]["in_order"]}
        for key in ("handled", "cpu_sent", "cpu_handled"):
            values = [each[key] for each in mine if each[key] is not None]
            row[key] = statistics.median(values) if values else None
        rows.append(row)
    title = {0: f"{number:,} queued signals with values",
             1: f"{number:,} standard signals from one sender",
             2: f"{number:,} standard signals from two senders"}[senders]
    return {"name": name_of_storm(senders), "title": title, "rows": rows, "rounds": rounds}


def name_of_storm(senders):
    return f"standard_storm_{senders}" if senders else "queued_storm"


def late(built, chosen, numbers):
    """How many other signals it takes until the SIGTERM behind them is lost."""
    rows = []
    for one in chosen:
        lost_after = None
        problem = None
        for number in numbers:
            say(f"late loop: {one.name}, {number}")
            try:
                # A CPU second for 100 000 signals in a slow language, and ten for the rest.
                run(Entry(one.name, one.command(built) + ["late", str(number)], 10 + number / 50_000))
            except Lost:
                lost_after = number
                break
            except RuntimeError as error:
                problem = str(error)
                break
        rows.append({"name": one.name, "lost_after": lost_after, "most": numbers[-1]}
                    | ({"problem": problem} if problem else {}))
    return {"name": "late", "title": "SIGTERM behind a burst of others, while the loop is late",
            "rows": rows}


def micro(program, quick):
    """One of Google Benchmark's programs: all its entries in random interleaving."""
    groups = {}
    say(f"micro: {program.name}")
    words = [str(program), "--benchmark_format=json",
             "--benchmark_enable_random_interleaving=true",
             f"--benchmark_repetitions={3 if quick else 5}",
             f"--benchmark_min_time={0.01 if quick else 0.03}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=1800)
    if done.returncode != 0:
        raise RuntimeError(f"{program.name}: {done.stderr.strip()}")
    for each in json.loads(done.stdout)["benchmarks"]:
        if each.get("run_type") != "iteration":
            continue
        name = "/".join(part for part in each["run_name"].split("/")
                        if part != "manual_time" and not part.startswith("iterations:"))
        group, _, name = name.partition("/")
        group += program.name.removeprefix("safe_point") if group.endswith("_loop") else ""
        if each.get("error_occurred"):
            groups.setdefault(group, {}).setdefault(name, {})["problem"] = each["error_message"]
            continue
        into = groups.setdefault(group, {}).setdefault(name, {"times": [], "counters": {}})
        into["times"].append(each["real_time"] * {"ns": 1, "us": 1e3, "ms": 1e6}[each["time_unit"]])
        into["counters"] |= {key: each[key] for key in beside.COUNTERS if key in each}
    return [{"name": group, "rows": [
        {"name": name, "problem": data["problem"]} if "problem" in data else
        {"name": name, "time": statistics.median(data["times"]), "best": min(data["times"]),
         **data["counters"]} for name, data in rows.items()]} for group, rows in groups.items()]


def lost_wakeups(variants, trials):
    rows = []
    for name, command, share in variants:
        number = max(1000, int(trials * share))
        say(f"lost wake-ups: {name}")
        try:
            output = run(Entry(name, command + [str(number)], patience=600))
            rows.append({"name": name, "trials": output["trials"], "lost": output["lost"],
                         "per_million": 1e6 * output["lost"] / output["trials"]})
        except (Lost, RuntimeError) as error:
            rows.append({"name": name, "problem": str(error)})
    return {"name": "lost_wakeups", "title": "Wake-ups lost, of a million aimed at the window",
            "rows": rows}


def python(package, rounds):
    """Python's own `signal` module, and sigpp's in its place."""
    say("Python")
    sys.path.insert(0, str(HERE / "python"))
    import compare
    rows = [{"name": name, "stock": before, "sigpp": after}
            for name, before, after in compare.measure(package, rounds)]
    return {"name": "python", "title": "Python: its own signal module, and sigpp's", "rows": rows}


def machine():
    """What a reader has to know to compare."""
    def first(command):
        try:
            return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]
        except OSError:
            return "?"
    model = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
             if line.startswith("model name")]
    return {"processors": os.cpu_count(), "model": model[0] if model else platform.machine(),
            "kernel": platform.release().split("-")[0], "compiler": first(["g++", "--version"]),
            "libc": " ".join(platform.libc_ver()), "date": time.strftime("%Y-%m-%d"),
            "load": [round(each, 1) for each in os.getloadavg()]}


def size_of(program, *arguments):
    """Code and data of a program in kB; None if it is a script."""
    if any(Path(argument).suffix in (".py", ".js") for argument in arguments):
        return None
    told = subprocess.run(["size", program], text=True, capture_output=True, check=True).stdout
    text, data = told.splitlines()[1].split()[:2]
    return (int(text) + int(data)) // 1000


def commit():
    return subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, text=True,
                          capture_output=True).stdout.strip()


def broken(results):
    """What went wrong with sigpp itself, or with what it is compared to. No time is judged."""
    for workload in results["workloads"]:
        for row in workload["rows"]:
            told = f"{workload['name']}: {row['name']}: "
            ours = row["name"].startswith("sigpp")
            if (ours or row["name"] == BASE) and "problem" in row:
                yield told + row["problem"]
            if ours and (row.get("lost_after") or row.get("lost")):
                yield told + "it has lost some"
            if ours and workload["name"] == "queued_storm" and not (
                    row.get("handled") == 100 and row["in_order"] and row["term"]):
                yield told + "not all, or not in order"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path, help="the build of the preset bench")
    parser.add_argument("--quick", action="store_true", help="two minutes, one table")
    parser.add_argument("--only", help="workloads whose names contain this")
    parser.add_argument("--continue", dest="goes_on", action="store_true",
                        help="a run that died half-way")
    arguments = parser.parse_args()
    build = arguments.build.resolve() / "bench"
    quick = arguments.quick
    built = build / "contestants"

    results = {"complete": False, "quick": quick, "only": arguments.only, "machine": machine(),
               "commit": commit(), "programs": [], "workloads": []}
    where = arguments.build / ("bench-quick.json" if quick else "bench.json")

    def keep(result):
        results["workloads"].append(result)
        where.write_text(json.dumps(results, indent=1))

    chosen = [one for one in CONTESTANTS if not quick or one.quick]
    here = [one for one in chosen if one.missing(built) is None]
    if arguments.goes_on:
        before = json.loads(where.read_text())
        if before["commit"] != results["commit"]:
            sys.exit(f"{where} was measured with {before['commit']}, and this is {results['commit']}")
        results = before
    done = {each["name"] for each in results["workloads"]}
    results["missing"] = {one.name: one.missing(built) for one in chosen if one not in here}
    results["versions"] = {one.name: one.version_told() for one in here}
    driver = str(build / "driver")
    rounds = 3 if quick else 7
    wanted = lambda name: name not in done and (not arguments.only or arguments.only in name)

    def entries(*before, after=()):
        return [Entry(one.name, [*before, *one.command(built), *after]) for one in here]

    workloads = [
        Workload("latency", "From raise to handler, in the own process",
                 "A process sends itself SIGUSR1 and waits in the library's way.",
                 entries(after=("latency", "3000" if quick else "20000")),
                 {"median": "ns", "min": "ns"}, BASE, rounds),
        Workload("waiting", "From the sender to a handler of a thread that waits",
                 "Two threads on one processor; the one that waits sleeps.",
                 [Entry(name, [str(build / "waiting"), variant, "2000" if quick else "10000"])
                  for name, variant in beside.WAITING.items()], {"median": "ns", "min": "ns"}, BASE, rounds),
        Workload("trips_same", "Ping-pong between two processes on one processor",
                 "The other process waits in sigwaitinfo.",
                 entries(driver, "trips", "3000" if quick else "20000", "same", "--"),
                 {"trip": "ns", "cpu": "ns"}, BASE, rounds),
        Workload("trips_across", "Ping-pong across processors",
                 "In virtual machines the price of an interrupt between processors hides the rest.",
                 entries(driver, "trips", "1000" if quick else "5000", "across", "--"),
                 {"trip": "ns", "cpu": "ns"}, BASE, 1 if quick else 3),
        Workload("start", "What a program that handles SIGINT and SIGTERM costs",
                 "From fork to listening, the best of ten; memory, and code and data of the file, in kB. The raw handler's is a C++ program, too: "
                 "what loads no libstdc++ is plain C.",
                 [*entries(driver, "start", "--"),
                  Entry("plain C", [driver, "start", "--", str(built / "plain_c")])],
                 {"start": "ns", "rss": "kB", "anonymous": "kB", "descriptors": "", "threads": "",
                  "binary": "kB"},
                 BASE, 3 if quick else 7),
    ]
    for workload in workloads:
        if wanted(workload.name):
            samples = measure(workload)
            if workload.name == "start":
                for entry in workload.entries:
                    for each in samples[entry.name]:
                        each["binary"] = size_of(*entry.command[entry.command.index("--") + 1:])
            keep(summary(workload, samples))
    number = 20_000 if quick else 200_000
    for senders in (1, 0) if quick else (1, 2, 0):
        if wanted(name_of_storm(senders)):
            keep(storms(driver, built, here, number, senders, 1 if quick else 5))
    if wanted("late"):
        keep(late(built, here, [300, 5000] if quick else [300, 1000, 5000, 20_000, 70_000, 1_000_000]))
    if wanted("lost_wakeups"):
        keep(lost_wakeups(beside.lost_wakeups(build, arguments.build), 20_000 if quick else 400_000))
    package = arguments.build / "python/package"
    if not package.is_dir():
        results["missing"]["the Python package"] = "not built"
    elif wanted("python"):
        keep(python(package, rounds))
    programs = sorted((build / "micro").iterdir()) if (build / "micro").is_dir() else []
    for program in programs if wanted("micro") else []:
        if program.name in results["programs"] or quick and program.name not in beside.QUICK:
            continue
        for group in micro(program, quick):
            keep(group)
        results["programs"].append(program.name)
    results["complete"] = True
    where.write_text(json.dumps(results, indent=1))
    say("")
    if quick or arguments.only:
        print(report.as_text(results))
    else:
        report.write(results, HERE.parent / "docs")
        print("docs/benchmarks.md is written.")
    sys.exit("\n".join(broken(results)) or 0)


if __name__ == "__main__":
    main()
