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
    """Compare a small job's peak, and one's that fills its buffers, with a large one's: compressed and plain."""
    findings, sizes = Findings(), bench.sizes
    for compression in ("gzip", "none"):
        rows = [_row(bench, objects, compression) for objects in (sizes.small, sizes.middle, sizes.large)]
        name, most = "gzip" if compression == "gzip" else "plain", max(row.peak_bytes for row in rows)
        findings.rows += rows
        findings.goals += [
            *(_growth(name, less, rows[-1]) for less in rows[:-1]),
            Goal(
                f"peak memory, {name}, {READERS} readers",
                f"< {MOST_BYTES[compression] / 1e6:.0f} MB",
                f"{most / 1e6:.0f} MB",
                most < MOST_BYTES[compression],
            ),
        ]
    return findings


def _growth(name: str, small: Row, large: Row) -> Goal:
    growth = large.peak_bytes / small.peak_bytes
    title = f"peak memory, {name}: {large.objects:,} keys over {small.objects:,}"
    return Goal(title, f"<= {MOST_GROWTH:.2f}", f"{growth:.2f}", growth <= MOST_GROWTH)


def _row(bench: Bench, objects: int, compression: str) -> Row:
    work = bench.work(objects, compression, READERS)
    samples = [bench.peer("ours", work, warm_up=False)]
    return Row(NAME, f"ours, {'gzip' if compression == 'gzip' else 'plain'}", objects, samples)
