#!/usr/bin/env python3
"""What run.py and report.py must not hide."""

import sys
import tempfile
import unittest

import report
import run


def results(workloads=(), **more):
    machine = {"processors": 2, "model": "?", "kernel": "?", "compiler": "?", "libc": "?", "date": "?",
               "load": [0]}
    return {"complete": True, "machine": machine, "workloads": list(workloads), "versions": {},
            "missing": {}} | more


def program(words):
    return [sys.executable, "-c", words]


class Ratios(unittest.TestCase):
    def test_are_formed_within_a_round(self):
        entries = [run.Entry(name, []) for name in ("raw handler", "sigpp")]
        workload = run.Workload("start", "", "", entries, {"start": "ns"}, "raw handler", 3)
        samples = {"raw handler": [{"start": start, "round": n} for n, start in enumerate((10, 900, 30))],
                   "sigpp": [{"start": start, "round": n} for n, start in enumerate((20, 1800, 60))]}
        row = run.summary(workload, samples)["rows"][1]
        self.assertEqual(row["start_ratio"], 2)
        self.assertEqual(row["start_spread"], [2, 2])

    def test_what_a_script_has_not_is_no_number(self):
        workload = run.Workload("start", "", "", [run.Entry("Node", [])], {"binary": "kB"}, "Node", 1)
        told = run.summary(workload, {"Node": [{"binary": None, "round": 0}]})
        self.assertIsNone(told["rows"][0]["binary"])
        self.assertIn("| Node | – | – |", report.workload_section(told))


class Sizes(unittest.TestCase):
    def test_of_what_is_started(self):
        self.assertGreater(run.size_of(sys.executable), 0)
        self.assertGreater(run.size_of(sys.executable, "one", "two"), 0)
        self.assertIsNone(run.size_of(sys.executable, "-B", __file__, "start"))


class Failures(unittest.TestCase):
    def test_a_program_that_fails_says_why(self):
        entries = [run.Entry("x", program("import sys; sys.exit('it has no SIGUSR1')"))]
        workload = run.Workload("w", "", "", entries, {"median": "ns"}, "x", 2)
        told = run.summary(workload, run.measure(workload))
        self.assertEqual(told["rows"][0]["problem"], "it has no SIGUSR1")
        self.assertIn("it has no SIGUSR1", report.workload_section(told))

    def test_a_round_that_fails_is_counted(self):
        once = ("import json, os, pathlib, sys; p = pathlib.Path(sys.argv[1]); n = int(p.read_text());"
                "p.write_text(str(n + 1)); sys.exit('now') if n == 1 else print(json.dumps({'median': 1}))")
        with tempfile.NamedTemporaryFile("w+") as count:
            count.write("0")
            count.flush()
            entries = [run.Entry("x", program(once) + [count.name])]
            workload = run.Workload("w", "", "", entries, {"median": "ns"}, "x", 3)
            told = run.summary(workload, run.measure(workload))
        self.assertEqual(told["rows"][0]["failed_rounds"], 1)
        self.assertIn("failed in 1 rounds", report.workload_section(told))

    def test_one_that_waits_for_a_lost_signal_has_lost_it(self):
        with self.assertRaises(run.Lost):
            run.run(run.Entry("x", program("import signal; signal.pause()"), patience=0.5))

    def test_what_sigpp_loses_fails_the_run(self):
        late = {"name": "late", "rows": [{"name": "sigpp pause", "lost_after": 300, "most": 300},
                                         {"name": "libuv", "lost_after": 5000, "most": 9000}]}
        row = {"name": "sigpp stream", "handled": 100, "in_order": True, "term": True}
        storms = [{"name": "queued_storm", "rows": [row | change]}
                  for change in ({}, {"handled": 99.9}, {"in_order": False}, {"term": False})]
        lost = {"name": "lost_wakeups", "rows": [{"name": "sigpp read", "lost": 1, "trials": 9}]}
        dead = {"name": "start", "rows": [{"name": "raw handler", "problem": "status 1"},
                                          {"name": "tokio", "problem": "status 1"}]}
        self.assertEqual(list(run.broken(results(storms[:1]))), [])
        self.assertEqual(len(list(run.broken(results([late, *storms, lost, dead])))), 6)


class Tables(unittest.TestCase):
    def test_are_in_the_order_of_their_numbers(self):
        rows = [{"name": name, "best": best} for name, best in
                (("x/1000", 9), ("raw/1000", 8), ("raw/10", 2), ("x/10", 1))]
        told = report.micro_section({"rows": rows}, ("T", "raw", "."))
        order = [told.index(each) for each in ("| x, 10 |", "| raw, 10 |", "| raw, 1,000 |", "| x, 1,000 |")]
        self.assertEqual(order, sorted(order))


class Report(unittest.TestCase):
    def test_a_run_that_died_half_way_says_so(self):
        self.assertNotIn("died half-way", report.as_markdown(results(), {}))
        self.assertIn("died half-way", report.as_markdown(results(complete=False), {}))

    def test_what_is_missing_is_named(self):
        text = report.as_markdown(results(missing={"Go os/signal": "go is not there"}), {})
        self.assertIn("| Go os/signal | go is not there |", text)

    def test_nothing_is_quoted_that_was_not_measured(self):
        told = report.budgets(results()).splitlines()[4:]
        self.assertTrue(told)
        for line in told:
            self.assertRegex(line, r"\| not measured \|  \|$")

    def test_a_budget_that_is_missed_says_so_and_why(self):
        def of(ratio):
            return report.budgets(results([{"name": "waiting", "rows": [
                {"name": "sigpp pause", "median_ratio": ratio}]}])).splitlines()[4]
        self.assertIn("| 0.7 x | kept |", of(0.7))
        self.assertIn("| 1.05 x | **missed** sigwaitinfo", of(1.05))


if __name__ == "__main__":
    unittest.main()
