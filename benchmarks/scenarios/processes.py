"""``presign-siblings run`` with one process and with two, on two cores and without latency."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import launch
from benchmarks.results import Findings, Sample, pair_rows, pairs, ratio_goal

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.work import Work

NAME = "processes"
LEAST = 1.8


def measure(bench: Bench) -> Findings:
    """Compare; the bucket is in the measured processes themselves, so that nothing else needs a core."""
    one = bench.work(bench.sizes.shared, "gzip")
    two = replace(one, processes=2)

    def run(work: Work) -> Sample:
        return Sample.of(launch.run_child("benchmarks.peers.desk", work, warm_up=True, cores=launch.CORES))

    measured = pairs(lambda: run(two), {"run": lambda: run(one)}, bench.sizes.rounds)
    goal = ratio_goal("run --processes 2 with gzip, times one process", measured[1]["run"][1], LEAST)
    enough = len(launch.CORES) > 1
    notes = [] if enough else ["There was one core only: two processes cannot be faster than one."]
    return Findings(pair_rows(NAME, "run --processes 2", one.count, measured), [goal], notes)
