"""Results of a measurement: samples, rows of the table, goals met or missed."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.ablation import Ablation
    from benchmarks.virtual import Listing


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One run.

    :param keys: Keys that were signed.
    :param seconds: The work alone, after imports.
    :param cpu_seconds: User and system time of the work, children counted.
    :param peak_bytes: Peak resident memory of the process.
    """

    keys: int
    seconds: float
    cpu_seconds: float
    peak_bytes: float

    @classmethod
    def of(cls, report: Mapping[str, float]) -> Sample:
        """Take a measured process's report."""
        return cls(int(report["signed"]), report["seconds"], report["cpu_seconds"], report["peak_bytes"])

    @property
    def rate(self) -> float:
        """Keys a second."""
        return self.keys / self.seconds


@dataclass(frozen=True, slots=True)
class Row:
    """
    One contestant in one scenario.

    :param objects: Objects under the prefix.
    :param samples: Its runs.
    :param ratios: How many times as fast the scenario's subject was, pair by pair; empty for the subject itself.
    """

    scenario: str
    name: str
    objects: int
    samples: Sequence[Sample]
    ratios: Sequence[float] = ()

    @property
    def rate(self) -> float:
        """Median keys a second."""
        return median(sample.rate for sample in self.samples)

    @property
    def spread(self) -> tuple[float, float]:
        """Slowest and fastest run, keys a second."""
        rates = [sample.rate for sample in self.samples]
        return min(rates), max(rates)

    @property
    def cpu_seconds(self) -> float:
        """Median CPU seconds of a run's work."""
        return median(sample.cpu_seconds for sample in self.samples)

    @property
    def peak_bytes(self) -> float:
        """Median peak memory."""
        return median(sample.peak_bytes for sample in self.samples)


@dataclass(frozen=True, slots=True)
class Model:
    """
    One set of keys in virtual time.

    :param first:  The run that knows nothing of the keys.
    :param mapped: The next one, with the key map of the first.
    :param many:   A first run with more readers.
    """

    name: str
    objects: int
    first: Listing
    mapped: Listing
    many: Listing


@dataclass(frozen=True, slots=True)
class Goal:
    """
    A goal beside the measured value.

    :param met: ``None`` where nothing was promised.
    """

    text: str
    wanted: str
    measured: str
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """The last column."""
        return {True: "met", False: "MISSED", None: ""}[self.met]


@dataclass(slots=True)
class Findings:
    """The results of a scenario; those of several are added."""

    rows: list[Row] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    model_goals: list[Goal] = field(default_factory=list)
    ablations: list[Ablation] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Append another scenario's findings."""
        self.rows += other.rows
        self.models += other.models
        self.model_goals += other.model_goals
        self.ablations += other.ablations
        self.goals += other.goals
        self.notes += other.notes


def ratio_goal(text: str, ratios: Sequence[float], least: float | None) -> Goal:
    """Compare a ratio of speeds with the promised minimum."""
    wanted = f">= {least:g}" if least is not None else ""
    spread = f" ({min(ratios):.3g} to {max(ratios):.3g})" if len(ratios) > 1 else ""
    measured = f"{median(ratios):.3g}{spread}"
    return Goal(text, wanted, measured, None if least is None else median(ratios) >= least)


def at_most_goal(text: str, values: Sequence[float], most: float, decimals: int = 2) -> Goal:
    """Compare the median of some values with the promised maximum."""
    middle, low, high = (f"{value:.{decimals}f}" for value in (median(values), min(values), max(values)))
    return Goal(text, f"<= {most}", f"{middle} ({low} to {high})", median(values) <= most)


def pairs(
    subject: Callable[[], Sample], others: Mapping[str, Callable[[], Sample]], rounds: int
) -> tuple[list[Sample], dict[str, tuple[list[Sample], list[float]]]]:
    """
    Measure in alternating pairs: subject, other, subject, other.

    :return: The subject's samples, and each other's with its ratios: the subject's speed over the other's in that pair.
    """
    own: list[Sample] = []
    measured: dict[str, tuple[list[Sample], list[float]]] = {}
    for name, other in others.items():
        samples: list[Sample] = []
        ratios: list[float] = []
        for _ in range(rounds):
            own.append(subject())
            samples.append(other())
            ratios.append(own[-1].rate / samples[-1].rate)
        measured[name] = (samples, ratios)
    return own, measured


def pair_rows(
    scenario: str,
    name: str,
    objects: int,
    measured: tuple[list[Sample], dict[str, tuple[list[Sample], list[float]]]],
) -> list[Row]:
    """Make the rows of :func:`pairs`: the subject first."""
    own, others = measured
    rows = [Row(scenario, other, objects, samples, ratios) for other, (samples, ratios) in others.items()]
    return [Row(scenario, name, objects, own), *rows]
