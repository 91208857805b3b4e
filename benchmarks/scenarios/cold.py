"""Cold start: a fresh process imports and constructs the Processor, or imports aioboto3 and creates one S3 client."""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.launch import MEASURED_CORE, started_on
from benchmarks.results import Findings, at_most_goal
from benchmarks.work import environment

if TYPE_CHECKING:
    from benchmarks.bench import Bench

MOST_TIMES_AIOBOTO3 = 1.3
_OURS = "from processor.app import Processor\nProcessor()"
_AIOBOTO3 = """
import asyncio
import aioboto3
async def make():
    async with aioboto3.Session().client("s3"):
        pass
asyncio.run(make())
"""
_TIMED = "import time\nbegan = time.perf_counter()\n{}\nprint()\nprint(time.perf_counter() - began)"


def _seconds(bench: Bench, code: str) -> float:
    command = [sys.executable, "-c", _TIMED.format(code)]
    with started_on(MEASURED_CORE):
        done = subprocess.run(command, env=environment(bench.environment()), capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def measure(bench: Bench) -> Findings:
    """Alternate the two; the first pair only fills the caches."""
    found = [(_seconds(bench, _OURS), _seconds(bench, _AIOBOTO3)) for _ in range(bench.sizes.cold_rounds + 1)][1:]
    ratios = [ours / aioboto3 for ours, aioboto3 in found]
    ours, aioboto3 = (1000 * median(times) for times in zip(*found, strict=True))
    goal = at_most_goal("cold start over importing aioboto3 and one S3 client", ratios, MOST_TIMES_AIOBOTO3)
    note = f"Cold start: {ours:.0f} ms for the Processor, {aioboto3:.0f} ms for aioboto3 and one S3 client."
    return Findings(goals=[goal], notes=[note])
