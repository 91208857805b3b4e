"""Whether peak memory depends on the number of keys."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from benchmarks.results import Findings, Goal, Row
from benchmarks.scenarios.latency import LATENCY_SECONDS

if TYPE_CHECKING:
    from benchmarks.bench import Bench

NAME = "memory"
MOST_GROWTH = 1.10
READERS = 16
MOST_BYTES = {"gzip": 150_000_000, "none": 250_000_000}


def measure(bench: Bench) -> Findings:
    """
    Compare the peaks of a small job, of one that fills its buffers, and of a large one: compressed and plain.

    Without a latency one reader is enough; with one, all of them are at work.
    """
    findings, sizes = Findings(), bench.sizes
    for compression, latency in product(("gzip", "none"), (0.0, LATENCY_SECONDS)):
        rows = [_row(bench, objects, compression, latency) for objects in (sizes.small, sizes.middle, sizes.large)]
        title, most = f"peak memory, {_named(compression, latency)}", max(row.peak_bytes for row in rows)
        findings.rows += rows
        findings.goals += [
            *(_growth(title, less, rows[-1]) for less in rows[:-1]),
            Goal(
                f"{title}, {READERS} readers",
                f"< {MOST_BYTES[compression] / 1e6:.0f} MB",
                f"{most / 1e6:.0f} MB",
                most < MOST_BYTES[compression],
            ),
        ]
    return findings


def _growth(title: str, small: Row, large: Row) -> Goal:
    growth = large.peak_bytes / small.peak_bytes
    of = f"{title}: {large.objects:,} keys over {small.objects:,}"
    return Goal(of, f"<= {MOST_GROWTH:.2f}", f"{growth:.2f}", growth <= MOST_GROWTH)


def _named(compression: str, latency: float) -> str:
    """Name a kind of job as the report does."""
    return f"{'gzip' if compression == 'gzip' else 'plain'}{f', {1000 * latency:.0f} ms a LIST' if latency else ''}"


def _row(bench: Bench, objects: int, compression: str, latency: float) -> Row:
    work = bench.work(objects, compression, READERS)
    samples = [bench.peer("ours", work, latency=latency, warm_up=False)]
    return Row(NAME, f"ours, {_named(compression, latency)}", objects, samples)
