"""``presign-siblings run`` with one process and with two, on two cores and without latency."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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

    def halves() -> Sample:
        """Run twice at once, each on half of the keys: the best that the machine's cores allow."""
        half = replace(one, count=one.count // 2)
        with ThreadPoolExecutor(2) as pool:
            samples = list(pool.map(run, [half, half]))
        return Sample(
            keys=sum(each.keys for each in samples),
            seconds=max(each.seconds for each in samples),
            cpu_seconds=sum(each.cpu_seconds for each in samples),
            peak_bytes=sum(each.peak_bytes for each in samples),
        )

    peers = {"run": lambda: run(one), "two runs at once, of half the keys each": halves}
    measured = pairs(lambda: run(two), peers, bench.sizes.rounds)
    goal = ratio_goal("run --processes 2 with gzip, times one process", measured[1]["run"][1], LEAST)
    enough = len(launch.CORES) > 1
    notes = [] if enough else ["There was one core only: two processes cannot be faster than one."]
    return Findings(pair_rows(NAME, "run --processes 2", one.count, measured), [goal], notes)
