"""What the page is told of the desk, as JSON values: everything but the lines and the manifest."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from local.tester.course import KILLED, OUTCOMES, WAITED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.tester.desk import Desk
    from local.tester.lines import Line
    from local.tester.trial import Trial


def state(desk: Desk) -> dict[str, Any]:
    """Return where everything stands."""
    run = desk.run
    return {
        "bucket": {"keys": list(desk.held.keys), "count": desk.held.count, "size": desk.held.size, "busy": desk.busy},
        "rule_on": desk.rule_on,
        "throttled": desk.throttled,
        "fault": desk.fault,
        "preparing": desk.preparing,
        "run": None if run is None else _run(run),
    }


def lines(run: Trial, start: int) -> list[dict[str, Any]]:
    """Return what has been logged, from the given line on."""
    return [_line(line, run.began) for line in run.lines[start:]]


def _run(run: Trial) -> dict[str, Any]:
    attempts = run.course.told()
    outcomes = [each["outcome"] for each in attempts]
    return {
        "number": run.number,
        "began": run.began,
        "ended": None if run.ended is None else round(run.ended - run.began, 3),
        "timeout": run.settings.timeout,
        "expected": run.expected,
        "phase": run.phase,
        "reason": "" if run.record is None else run.record.get("reason") or "",
        "lost": run.lost,
        "count": run.course.count(),
        "attempts": attempts,
        "handovers": outcomes.count(OUTCOMES["handover"]),
        "kills": outcomes.count(KILLED),
        "retries": outcomes.count(WAITED),
        "points": run.course.points(),
        "record": None if run.record is None else _plain(run.record),
        "seed": run.seed_told(),
    }


def _line(line: Line, began: float) -> dict[str, Any]:
    told = asdict(line)
    return {**told, "at": None if line.at is None else round(line.at - began, 3)}


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return DynamoDB's numbers as integers: the ledger writes no others."""
    return {name: int(value) if isinstance(value, Decimal) else value for name, value in sorted(record.items())}
