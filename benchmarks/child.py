"""
The measured process: one peer, one piece of work.

``python -m benchmarks.child`` is started on its core; the report goes to a file descriptor of its own, so that the
peer's output does not mix with it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.dataset import PAGE
from benchmarks.work import Work


def cpu_seconds() -> float:
    """CPU time of this process and of the children that it has waited for, user and system."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def peak_bytes() -> int:
    """
    Peak resident memory of this process, plus the largest child's.

    ``VmHWM`` and not ``ru_maxrss``: Linux carries the latter over from the process that started this one. So a child's
    is at least what this process had at its start.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return (own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * 1024


def measure(module: str, work: Work, *, warm_up: bool) -> dict[str, float]:
    """
    Run a module's ``run`` and report on it; its imports come before.

    :param warm_up: First do one page of the same work, in another bucket, as a warm Lambda has.
    """
    runner = importlib.import_module(module)
    if warm_up:
        runner.run(replace(work, count=PAGE, bucket="warm-up"))
    cpu, begun = cpu_seconds(), time.perf_counter()
    result = runner.run(work)
    seconds = time.perf_counter() - begun
    extra = result if isinstance(result, dict) else {"signed": result}
    used = {"cpu_seconds": cpu_seconds() - cpu, "peak_bytes": peak_bytes()}
    return {"seconds": seconds, **used, **extra}


def main() -> None:
    """Measure the module of the command line, and write the report."""
    parser = argparse.ArgumentParser(description="one measured run")
    parser.add_argument("module")
    parser.add_argument("work", type=json.loads)
    parser.add_argument("--warm-up", action="store_true")
    parser.add_argument("--report-to", type=int, required=True, help="an open file descriptor")
    options = parser.parse_args()
    report = measure(options.module, Work(**options.work), warm_up=options.warm_up)
    os.write(options.report_to, json.dumps(report).encode())


if __name__ == "__main__":
    main()
