"""The state of the tester for the page, as JSON values: all but the lines and the manifest."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dev.tester import shares
from dev.tester.timeline import ENDS, KILLED, WAITED
from processor.instant import ISO

if TYPE_CHECKING:
    from dev.tester.controller import Controller
    from dev.tester.experiment import Experiment
    from dev.tester.log_reader import Line
    from presign_siblings.remote.job_snapshot import JobSnapshot


def state(controller: Controller) -> dict[str, Any]:
    """Return the state of the tester."""
    run, held = controller.run, controller.held
    return {
        "bucket": {"keys": list(held.keys), "count": held.count, "size": held.size, "busy": controller.busy},
        "rule_on": controller.rule_on,
        "throttled": controller.throttled,
        "fault": controller.fault,
        "preparing": controller.preparing,
        "run": None if run is None else _run(run),
    }


def lines(run: Experiment, start: int) -> list[dict[str, Any]]:
    """Return what has been logged, from the given line on."""
    return [_line(line, run.began) for line in run.lines[start:]]


def _run(run: Experiment) -> dict[str, Any]:
    attempts = run.timeline.to_dicts()
    outcomes = [each["outcome"] for each in attempts]
    return {
        "number": run.number,
        "began": run.began,
        "ended": None if run.ended is None else round(run.ended - run.began, 3),
        "timeout": run.settings.timeout,
        "expected": len(run.keys),
        "chains": run.settings.job.chains,
        "ranges": shares.describe(run.ranges, run.planned, run.keys, datetime.now(UTC)),
        "phase": run.phase,
        "reason": "" if run.snapshot is None else run.snapshot.record.reason or "",
        "lost": run.lost,
        "count": run.timeline.count(),
        "attempts": attempts,
        "handovers": outcomes.count(ENDS["handover"]),
        "kills": outcomes.count(KILLED),
        "retries": outcomes.count(WAITED),
        "points": run.timeline.points(),
        "record": None if run.snapshot is None else _record(run.snapshot),
        "seed": run.seed_state(),
    }


def _line(line: Line, began: float) -> dict[str, Any]:
    fields = asdict(line)
    return {**fields, "at": None if line.at is None else round(line.at - began, 3)}


def _record(snapshot: JobSnapshot) -> dict[str, Any]:
    return dict(sorted({**snapshot.record.to_item(), "written": snapshot.written.strftime(ISO)}.items()))
