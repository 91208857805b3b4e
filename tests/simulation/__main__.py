"""Replay one seed with its trace, or run random seeds: ``python -m tests.simulation --seed 7 | --minutes 5``."""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import time
from collections import Counter
from typing import Any

from tests import eager_readers
from tests.simulation.history import Report, play

SEEDS = 1 << 48


def main() -> int:
    """Return 1 if a history breaks an invariant."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this history, with its trace")
    parser.add_argument("--first", type=int, help="begin with this seed and count up, instead of random ones")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to go on")
    parser.add_argument("--count", type=int, default=sys.maxsize, help="histories, at most")
    parser.add_argument("--chains", type=int, help="chains of each job, instead of what its seed draws")
    chosen = parser.parse_args()
    changes: dict[str, Any] = {} if chosen.chains is None else {"chains": chosen.chains}
    logging.disable(logging.CRITICAL)
    eager_readers.use()
    if chosen.seed is not None:
        report = play(chosen.seed, **changes)
        sys.stdout.write(f"{report}\n")
        return bool(report.breaches)
    return soak(chosen.minutes, chosen.count, chosen.first, changes)


def soak(minutes: float, count: int, first: int | None, changes: dict[str, Any]) -> int:
    """Play random histories until the time is up; return 1 if one failed."""
    began, totals, failed = time.monotonic(), Counter[str](), 0
    while time.monotonic() - began < 60 * minutes and totals["histories"] < count:
        seed = secrets.randbelow(SEEDS) if first is None else first + totals["histories"]
        report = play(seed, **changes)
        totals += _numbers(report)
        if report.breaches:
            failed += 1
            sys.stdout.write(f"seed {seed}: {report.breaches[0]}\n")
            sys.stdout.flush()
    numbers = ", ".join(f"{number} {name}" for name, number in totals.items())
    sys.stdout.write(f"{failed} failed; {numbers}; {time.monotonic() - began:.0f} s\n")
    return 1 if failed else 0


def _numbers(report: Report) -> Counter[str]:
    numbers = Counter(histories=1, invocations=report.invocations, runs=report.runs, takeovers=report.takeovers)
    numbers.update(kills=report.kills, orphans=report.orphans, late_writes=report.late_writes)
    numbers.update(multipart=report.multipart, recoveries=report.recoveries, parked=len(report.parked))
    return numbers


if __name__ == "__main__":
    sys.exit(main())
