"""Where a job's CPU time goes: the stages alone, and the whole job compared with signing alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from statistics import mean, median
from typing import TYPE_CHECKING

from benchmarks.launch import run_child
from benchmarks.results import Findings, at_most_goal, pairs, ratio_goal
from benchmarks.stages import STAGES
from processor.job import FACTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.bench import Bench
    from benchmarks.results import Sample

LEAST_WITH_FACTS = 0.6
MOST_TIMES_SIGNING = {"gzip": 2.0, "none": 3.0}


def measure(bench: Bench) -> Findings:
    """
    Measure signing, whole job, signing, whole job ...; then the stages, once.

    Each job is compared with the signing before and after it: the machine's speed may change from second to second.
    """
    findings = Findings()
    used: dict[str, list[float]] = {}
    for compression, most in MOST_TIMES_SIGNING.items():
        work = bench.work(bench.sizes.middle, compression, concurrency=1)
        alone, whole = [_microseconds(bench.sign("ours"))], list[float]()
        for _ in range(bench.sizes.stage_rounds):
            whole.append(_microseconds(bench.peer("ours", work)))
            alone.append(_microseconds(bench.sign("ours")))
        used.setdefault("signing alone", []).extend(alone)
        used[f"whole job, {compression}"] = whole
        ratios = [job / mean(around) for job, around in zip(whole, pairwise(alone), strict=True)]
        findings.goals.append(at_most_goal(f"whole job, {compression}, CPU over signing alone", ratios, most))
    findings.add(_with_facts(bench))
    report = run_child("benchmarks.stages", bench.work(bench.sizes.fast), bench.environment())
    findings.notes.append(_table({name: report[name] for name in STAGES} | {n: median(t) for n, t in used.items()}))
    return findings


def _with_facts(bench: Bench) -> Findings:
    """Compare a job whose lines have all facts with one whose lines have none: the same keys, pair by pair."""
    plain = bench.work(bench.sizes.fast, "gzip", concurrency=1)
    full = replace(plain, fields=",".join(FACTS))
    _, measured = pairs(
        lambda: bench.peer("ours", full), {"without": lambda: bench.peer("ours", plain)}, bench.sizes.rounds
    )
    goal = "whole job, gzip, with all facts in each line, times as fast as without"
    return Findings(goals=[ratio_goal(goal, measured["without"][1], LEAST_WITH_FACTS)])


def _microseconds(sample: Sample) -> float:
    return sample.cpu_seconds / sample.keys * 1e6


def _table(microseconds: Mapping[str, float]) -> str:
    """Return the cost of a key; the rest beside the stages is botocore, aiohttp, sockets and the event loop."""
    rows = [f"| {name} | {time:.2f} |" for name, time in microseconds.items()]
    return "\n".join(("| stage | CPU, us a key |", "| --- | ---: |", *rows))
