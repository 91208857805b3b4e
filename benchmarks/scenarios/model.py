"""Listing in virtual time: how far the splitting of ranges is from the bound, on each set of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import ablation, virtual
from benchmarks.bench import progress
from benchmarks.bucket_shapes import SHAPES
from benchmarks.keysets import EVEN, SKEWED
from benchmarks.results import Findings, Goal, Model

if TYPE_CHECKING:
    from benchmarks.bench import Bench

SETS = EVEN | SKEWED | SHAPES
READERS, MANY = 16, 64
SOME, MILLION = 300_000, 1_000_000  # keys that the goals are for
LEAST, LEAST_OF_A_MILLION, LEAST_MAPPED, LEAST_MANY = 7.0, 10.0, 12.0, 25.0
MOST_EVEN, MOST, MOST_MAPPED = 1.2, 1.5, 1.02


def measure(bench: Bench) -> Findings:
    """Run each set of keys through the processor's planner: first, with the first run's key map, with 64 readers."""
    findings = Findings()
    for count in bench.sizes.model:
        models = []
        for name, make in SETS.items():
            progress(f"  {name}, {count:,} keys ...")
            keys = make(count)
            first, key_map = virtual.run(keys, READERS)
            (mapped, _), (many, _) = virtual.run(keys, READERS, key_map), virtual.run(keys, MANY)
            models.append(Model(name, len(keys), first, mapped, many))
        findings.models += models
        findings.model_goals += _goals(count, models)
    progress("  without a part of the planner ...")
    fewest = min(bench.sizes.model)
    findings.ablations = ablation.measure({name: make(fewest) for name, make in SETS.items()}, READERS)
    return findings


def _goals(count: int, models: list[Model]) -> list[Goal]:
    if count < SOME:
        return []
    least = LEAST_OF_A_MILLION if count >= MILLION else LEAST
    label = f"{count:,} keys"
    even = [model for model in models if model.name in EVEN]
    others = [model for model in models if model.name not in EVEN]
    goals = [
        _least(f"{label}: {READERS} readers, times one chain", {each.name: each.first.times for each in models}, least),
        _most(f"{label}: requests, even sets", {each.name: each.first.cost for each in even}, MOST_EVEN),
        _most(f"{label}: requests, other sets", {each.name: each.first.cost for each in others}, MOST),
        _least(f"{label}: with a key map", {each.name: each.mapped.times for each in models}, LEAST_MAPPED),
        _most(f"{label}: requests with a key map", {each.name: each.mapped.cost for each in models}, MOST_MAPPED),
    ]
    if count >= MILLION:
        many = {each.name: each.many.times for each in models}
        goals.append(_least(f"{label}: {MANY} readers, times one chain", many, LEAST_MANY))
    return goals


def _least(text: str, found: dict[str, float], least: float) -> Goal:
    name = min(found, key=lambda each: found[each])
    return Goal(text, f">= {least:g} on every set", _worst(found, name, least, over=True), found[name] >= least)


def _most(text: str, found: dict[str, float], most: float) -> Goal:
    name = max(found, key=lambda each: found[each])
    return Goal(text, f"<= {most:g} on every set", _worst(found, name, most, over=False), found[name] <= most)


def _worst(found: dict[str, float], worst: str, bound: float, *, over: bool) -> str:
    missed = sum((value < bound) if over else (value > bound) for value in found.values())
    beyond = f"; {missed} of {len(found)} sets miss it" if missed else ""
    return f"{found[worst]:.3g} ({worst}){beyond}"
