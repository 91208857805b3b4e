"""
A prefix of a billion keys, in virtual time: the hops, requests, minutes and dollars of its manifest.

``python -m benchmarks.billion`` runs the processor's own planners over generated pages, and writes
``docs/measurements/billion.md``. Equal parts are simulated once: a listing of ``SAMPLE`` keys, whose later half gives
the pace of a longer one, and whose beginning gives the time of a short range.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.billion.course import Course, course, plain_course
from benchmarks.billion.division import sizes
from benchmarks.billion.facts import READERS, SAMPLE
from benchmarks.billion.keys import map_of
from benchmarks.billion.page import page
from benchmarks.billion.taken import Taken, alone, shared

if TYPE_CHECKING:
    from collections.abc import Sequence


def everything(count: int, chains: Sequence[int], one: Course, many: Course) -> list[Taken]:
    """Return the rows of a number of keys."""
    rows = [alone(count, one, "1 chain, 1 reader", 1), alone(count, many, f"1 chain, {READERS} readers", READERS)]
    key_map = map_of(count)
    for number in chains:
        for label, known in (("first run", None), ("key map", key_map)):
            parts, looked = sizes(count, number, known)
            rows.append(shared(parts, number, many, f"{number} chains, {label}", looked))
    return rows


def main() -> None:
    """Simulate, print the page, and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.billion", description="a billion keys, in virtual time")
    parser.add_argument("--keys", type=int, default=1_000_000_000, help="how many; others write nothing without --out")
    parser.add_argument("--chains", type=int, nargs="+", default=[16, 64, 256], help="chains that share the job")
    parser.add_argument("--out", type=Path, help="where the page is written")
    options = parser.parse_args()
    sample = min(SAMPLE, options.keys)
    one, many = plain_course(sample), course(sample, READERS)
    rows = {count: everything(count, options.chains, one, many) for count in (options.keys, 10 * options.keys)}
    text = page(rows)
    print(text)
    usual = Path("docs/measurements/billion.md") if options.keys == parser.get_default("keys") else None
    if (out := options.out or usual) is not None:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
