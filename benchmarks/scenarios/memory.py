"""Whether peak memory depends on how many keys there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.results import Findings, Goal, Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench

NAME = "memory"
MOST_GROWTH = 1.10
READERS = 16
MOST_BYTES = {"gzip": 150_000_000, "none": 250_000_000}


def measure(bench: Bench) -> Findings:
    """Compare a small job's peak with a large one's, compressed and plain."""
    findings = Findings()
    for compression in ("gzip", "none"):
        small, large = (_row(bench, objects, compression) for objects in (bench.sizes.small, bench.sizes.large))
        growth, most = large.peak_bytes / small.peak_bytes, max(small.peak_bytes, large.peak_bytes)
        name = "gzip" if compression == "gzip" else "plain"
        findings.rows += [small, large]
        findings.goals += [
            Goal(
                f"peak memory, {name}: {large.objects:,} keys over {small.objects:,}",
                f"<= {MOST_GROWTH:.2f}",
                f"{growth:.2f}",
                growth <= MOST_GROWTH,
            ),
            Goal(
                f"peak memory, {name}, {READERS} readers",
                f"< {MOST_BYTES[compression] / 1e6:.0f} MB",
                f"{most / 1e6:.0f} MB",
                most < MOST_BYTES[compression],
            ),
        ]
    return findings


def _row(bench: Bench, objects: int, compression: str) -> Row:
    work = bench.work(objects, compression, READERS)
    samples = [bench.peer("ours", work, warm_up=False)]
    return Row(NAME, f"ours, {'gzip' if compression == 'gzip' else 'plain'}", objects, samples)
