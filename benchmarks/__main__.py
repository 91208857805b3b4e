"""
Measure this project and its peers side by side.

``python -m benchmarks`` prints the tables, and writes ``docs/measurements/bench.md`` and its charts; a partial run
(``--quick``, ``--only``) writes nothing unless ``--out`` gives a folder. It exits with 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import chart, curve, launch, machine, report
from benchmarks.bench import QUICK, Bench, Sizes, progress
from benchmarks.results import Findings
from benchmarks.scenarios import (
    cold,
    download,
    latency,
    memory,
    model,
    pipeline,
    processes,
    readers,
    signing,
    stages,
    start,
)
from dev import own_settings

if TYPE_CHECKING:
    from collections.abc import Callable

_SCENARIOS: dict[str, Callable[[Bench], Findings]] = {
    "sign": signing.measure,
    "job": pipeline.measure,
    "stages": stages.measure,
    "memory": memory.measure,
    "latency": latency.measure,
    "readers": readers.measure,
    "model": model.measure,
    "processes": processes.measure,
    "cold": cold.measure,
    "start": start.measure,
    "download": download.measure,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="measure this and its peers side by side")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: a smoke test, not a measurement")
    parser.add_argument("--only", choices=_SCENARIOS, action="append", help="this scenario; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON, with every sample, in place of the tables")
    parser.add_argument("--out", type=Path, help="where bench.md and its charts are written")
    return parser.parse_args()


def _write(folder: Path, findings: Findings, facts: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if findings.models:
        (folder / "ranges.md").write_text(report.models_markdown(findings), encoding="utf-8")
        progress(f"wrote {folder / 'ranges.md'}")
    if not findings.rows:
        return
    (folder / "bench.md").write_text(report.markdown(findings, facts), encoding="utf-8")
    if any(row.scenario in chart.TITLES for row in findings.rows):
        chart.draw(findings.rows, folder / "bench.svg")
    if rates := [row for row in findings.rows if row.scenario == readers.CURVE]:
        curve.draw(rates, folder / "readers.svg")
    progress(f"wrote {folder / 'bench.md'}")


def main() -> int:
    """Run the scenarios."""
    options = _options()
    own_settings.set_aside()
    findings, facts = Findings(), machine.describe()
    if launch.MEASURED_CORE == launch.STUB_CORE:
        findings.notes.append("There was one core only: the stub and the measured process shared it.")
    with launch.stub() as server:
        for name in options.only or _SCENARIOS:
            progress(f"{name} ...")
            findings.add(_SCENARIOS[name](Bench(server, QUICK if options.quick else Sizes())))
    if options.json:
        print(report.as_json(findings, facts))
    else:
        report.print_tables(findings, facts)
    partial = options.quick or options.only
    if options.out or not partial:
        _write(options.out or Path("docs/measurements"), findings, facts)
    missed = any(goal.met is False for goal in [*findings.goals, *findings.model_goals])
    return 1 if missed and not partial else 0


if __name__ == "__main__":
    sys.exit(main())
