"""Speed when S3 is slow: each LIST answers after 80 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.dataset import PAGE
from benchmarks.results import Findings, Row, at_most_goal

if TYPE_CHECKING:
    from benchmarks.bench import Bench

NAME = "80 ms a LIST"
LATENCY_SECONDS = 0.08
MOST_OVER_BOUND = 1.03


def measure(bench: Bench) -> Findings:
    """Compare a sequential chain with the bound that the latency sets: pages times 80 ms."""
    objects = bench.sizes.reading
    work = bench.work(objects, "gzip", concurrency=1)
    samples = [bench.peer("ours", work, latency=LATENCY_SECONDS) for _ in range(bench.sizes.rounds)]
    bound = objects / PAGE * LATENCY_SECONDS
    over = [sample.seconds / bound for sample in samples]
    goal = at_most_goal("80 ms a LIST, one chain: time over pages x 80 ms", over, MOST_OVER_BOUND, decimals=3)
    return Findings([Row(NAME, "ours, gzip, concurrency 1", objects, samples)], [goal])
