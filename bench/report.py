"""Tables and plots of what run.py has measured; nothing here that is not in the results."""

import beside

HEAD = """# Benchmarks

What `scripts/bench` has measured: sigpp, plain system calls and other libraries side by side, in one interleaved
run (A B C A B C ...). A ratio is formed within its round, and the median of the rounds is shown, with the smallest
and the largest ratio. Less is better, except where it says "handled".

Machine: {processors} processors, {model}, Linux {kernel}, {compiler}, {libc}; load when it began {load[0]}. {date}.
These are ratios of one machine, which other work may share: `scripts/bench` measures yours, `scripts/bench --quick`
in two minutes. [bench/README.md](../bench/README.md) says what each program does.
"""


def number(value):
    """Three digits that mean something."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def shown(name):
    """sigpp stands out."""
    return f"**{name}**" if name.startswith("sigpp") else name


def problem_row(row, columns):
    return [shown(row["name"]), row["problem"]] + [""] * (columns - 2)


def measured(results, name):
    return next((each for each in results["workloads"] if each["name"] == name), None)


def row_of(results, workload, name):
    found = measured(results, workload)
    return next((row for row in found["rows"] if row["name"] == name and "problem" not in row),
                None) if found else None


def workload_section(workload):
    keys = list(workload["values"])
    columns = [""]
    for key in keys:
        unit = workload["values"][key]
        columns += [f"{key}, {unit}" if unit else key, f"÷ {workload['base']}"]
    rows = []
    for row in sorted(workload["rows"], key=lambda r: r.get(keys[0], float("inf"))):
        if "problem" in row:
            rows.append(problem_row(row, len(columns)))
            continue
        failed = row["failed_rounds"]
        cells = [shown(row["name"]) + (f" (failed in {failed} rounds)" if failed else "")]
        for key in keys:
            ratio = row.get(key + "_ratio")
            low, high = row.get(key + "_spread", (None, None))
            cells += [number(row.get(key)),
                      f"{ratio:.2f} ({low:.2f}–{high:.2f})" if ratio is not None else "–"]
        rows.append(cells)
    return (f"## {workload['title']}\n\n{workload['about']} {workload['rounds']} rounds.\n\n"
            + table(columns, rows))


def storm_section(storm):
    columns = ["", "handled", "CPU per signal sent, µs", "CPU per signal handled, µs", "in order",
               "SIGTERM heard"]
    rows = []
    for row in sorted(storm["rows"], key=lambda r: -(r.get("handled") or 0)):
        if "problem" in row:
            rows.append(problem_row(row, len(columns)))
            continue
        micro = lambda value: number(value / 1000) if value is not None else "–"
        handled = "?" if row["handled"] is None else f"{row['handled']:.3g} %"
        rows.append([shown(row["name"]), handled, micro(row["cpu_sent"]),
                     micro(row["cpu_handled"]), number(row["in_order"]), number(row["term"])])
    return (f"## {storm['title']}\n\nThe sender is another process, which does not wait for the "
            f"receiver{'' if 'standard' in storm['name'] else ' except when the kernel is full'}. "
            f"Then it sends SIGTERM. {storm['rounds']} rounds.\n\n" + table(columns, rows))


def late_section(late):
    rows = []
    for row in late["rows"]:
        said = row.get("problem") or (f"lost after {row['lost_after']:,}" if row["lost_after"]
                                      else f"heard after {row['most']:,}")
        rows.append([shown(row["name"]), said])
    return f"## {late['title']}\n\n" + table(["", "SIGTERM"], rows)


def lost_section(lost):
    rows = [problem_row(row, 4) if "problem" in row else
            [shown(row["name"]), number(row["per_million"]), row["lost"], f"{row['trials']:,}"]
            for row in lost["rows"]]
    return f"## {lost['title']}\n\n" + table(["", "lost of a million", "lost", "tried"], rows)


def micro_section(group, about):
    title, base, text = about
    counters = sorted({key for row in group["rows"] for key in row
                       if key not in ("name", "time", "best", "problem")})
    by_argument = {}
    for row in group["rows"]:
        name, _, argument = row["name"].partition("/")
        by_argument.setdefault(argument, {})[name] = row
    columns = [""] + [title_of_counter(c) for c in ["time"] + counters] + [f"÷ {base}"]
    lines = []
    for argument in sorted(by_argument, key=lambda text: (not text.isdigit(), text.zfill(12))):
        rows = by_argument[argument]
        beside = rows.get(base, {}).get("best")
        for name, row in sorted(rows.items(), key=lambda each: each[1].get("best") or float("inf")):
            label = shown(name) + (f", {int(argument):,}" if argument.isdigit() else
                                   f", {argument}" if argument else "")
            if "problem" in row:
                lines.append([label, row["problem"]] + [""] * (len(columns) - 2))
                continue
            ratio = f"{row['best'] / beside:.2f}" if beside else "–"
            lines.append([label, number(row["best"])] + [number(row.get(c)) for c in counters]
                         + [ratio])
    return f"## {title}\n\n{text}\n\n" + table(columns, lines)


def title_of_counter(name):
    return {"time": "ns, best of the repetitions"}.get(name, name.replace("_", " "))


def budgets(results):
    """What design.md promises, beside what was measured: (promise, limit, value, kept)."""
    rows = []
    for promise, limit, value in beside.budgets(results):
        if value is None:
            rows.append([promise, limit, "not measured", ""])
        else:
            text, kept = value
            why = next((each for start, each in beside.WHY.items() if promise.startswith(start)), "")
            rows.append([promise, limit, text, "kept" if kept else f"**missed** {why}".strip()])
    return "## Budgets\n\n" + table(["", "budget", "measured", ""], rows)


def plots(results, folder):
    """A picture for each workload that has ratios, and one for each storm."""
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    matplotlib.rcParams["svg.hashsalt"] = "sigpp"
    matplotlib.rcParams["svg.fonttype"] = "none"  # words, not their outlines
    folder.mkdir(parents=True, exist_ok=True)
    made = {}

    def bars(name, title, pairs, label, log=False, most_is_best=False):
        pairs = sorted(pairs, key=lambda pair: pair[1], reverse=not most_is_best)  # the best on top
        figure, axes = plt.subplots(figsize=(7, 0.6 + 0.28 * len(pairs)))
        colours = ["#c0392b" if each.startswith("sigpp") else "#7f8c8d" for each, _ in pairs]
        axes.barh([each for each, _ in pairs], [value for _, value in pairs], color=colours)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(label, fontsize=9)
        axes.tick_params(labelsize=8)
        if log:
            axes.set_xscale("log")
        for index, (_, value) in enumerate(pairs):
            axes.text(value, index, f" {value:.3g}", va="center", fontsize=7)
        axes.margins(x=0.12)
        figure.tight_layout()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)
        made[name] = f"benchmarks/{name}.svg"

    for workload in results["workloads"]:
        if "values" in workload:
            key = next(iter(workload["values"]))
            pairs = [(row["name"], row[key + "_ratio"]) for row in workload["rows"]
                     if key + "_ratio" in row]
            if pairs:
                bars(workload["name"], workload["title"], pairs, f"÷ {workload['base']}",
                     max(v for _, v in pairs) > 8)
        elif workload["name"].endswith("storm") or "_storm_" in workload["name"]:
            pairs = [(row["name"], row["handled"]) for row in workload["rows"] if row.get("handled") is not None]
            bars(workload["name"], workload["title"], pairs, "handled, %", most_is_best=True)
    return made


def python_section(python):
    rows = [[row["name"], number(row["stock"]), number(row["sigpp"]),
             f"{row['sigpp'] / row['stock']:.2f}"] for row in python["rows"]]
    return (f"## {python['title']}\n\nMedians of processes that alternate; `bench/python/compare.py`.\n\n"
            + table(["", "Python, ns", "sigpp, ns", "÷ Python"], rows))


def section(workload, pictures, micro_about):
    if "values" in workload:
        text = workload_section(workload)
    elif "storm" in workload["name"]:
        text = storm_section(workload)
    elif workload["name"] == "late":
        text = late_section(workload)
    elif workload["name"] == "python":
        text = python_section(workload)
    elif workload["name"] == "lost_wakeups":
        text = lost_section(workload)
    else:
        text = micro_section(workload, micro_about.get(workload["name"],
                                                       (workload["name"], "", "")))
    if workload["name"] in pictures:
        text += f"\n![{workload['title']}]({pictures[workload['name']]})\n"
    return text


def as_markdown(results, pictures):
    parts = [HEAD.format(**results["machine"])]
    if not results["complete"]:
        parts.append("**This run died half-way: what is missing below was not measured.**\n")
    parts.append(budgets(results))
    parts += [section(each, pictures, beside.MICRO) for each in results["workloads"]]
    versions = [[name, version] for name, version in results["versions"].items()]
    parts.append("## Versions\n\n" + table(["", "version"], versions))
    if results["missing"]:
        parts.append("## Missing\n\nNot there, so not measured:\n\n" + table(
            ["", "why"], [list(each) for each in results["missing"].items()]))
    return "\n".join(parts)


def write(results, docs):
    """docs/benchmarks.md and its pictures."""
    (docs / "benchmarks.md").write_text(as_markdown(results, plots(results, docs / "benchmarks")))


def as_text(results):
    """One table: a line for each contestant."""
    columns = {"latency": ("raise", "median_ratio"), "trips_same": ("trip", "trip_ratio"),
               "standard_storm_1": ("storm %", "handled"), "queued_storm": ("queued %", "handled"),
               "start": ("start", "start_ratio")}
    lines = {}
    for workload in results["workloads"]:
        if workload["name"] not in columns:
            continue
        title, key = columns[workload["name"]]
        for row in workload["rows"]:
            value = row.get(key)
            lines.setdefault(row["name"], {})[title] = "cannot" if value is None else f"{value:.2f}"
    late = measured(results, "late")
    for row in late["rows"] if late else []:
        lines.setdefault(row["name"], {})["TERM lost after"] = (
            "cannot" if "problem" in row else str(row["lost_after"] or "never"))
    titles = [title for title, _ in columns.values()] + (["TERM lost after"] if late else [])
    text = f"{'':24}" + "".join(f"{title:>16}" for title in titles) + "\n"
    for name, cells in lines.items():
        text += f"{name:24}" + "".join(f"{cells.get(title, ''):>16}" for title in titles) + "\n"
    text += "raise, trip, start: ratios to a raw handler; storms: handled, of all that were sent\n"
    for each in ("waiting", "lost_wakeups"):
        found = measured(results, each)
        for row in found["rows"] if found else []:
            said = row.get("problem") or (f"{row['median_ratio']:.2f} x raw handler"
                                          if each == "waiting" else
                                          f"{row['lost']} of {row['trials']} wake-ups lost")
            text += f"  {row['name']:30} {said}\n"
    found = measured(results, "python")
    for row in found["rows"] if found else []:
        text += f"  {row['name']:30} {row['sigpp'] / row['stock']:.2f} x Python's own\n"
    for name, why in results["missing"].items():
        text += f"missing: {name}: {why}\n"
    return text
