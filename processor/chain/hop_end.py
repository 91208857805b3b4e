"""How the work of a hop ended: a value, which the hop acts on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processor.chain.outcome import Outcome
    from processor.job import SiblingPayload


@dataclass(frozen=True, slots=True)
class Completed:
    """
    The manifest is there.

    :param outcome: The hop's own work; ``None`` when an earlier holder of the run had committed the manifest.
    """

    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class HandOver:
    """
    The guards let the chain continue.

    :param to: Where the next sibling continues.
    """

    outcome: Outcome
    to: SiblingPayload


@dataclass(frozen=True, slots=True)
class Parked:
    """
    A guard stopped the chain.

    :param to:     Where the chain continues once it is resumed.
    :param reason: The guard's name for it.
    """

    outcome: Outcome
    to: SiblingPayload
    reason: str


@dataclass(frozen=True, slots=True)
class RangeDone:
    """
    The chain's range of the job is listed and written; the job continues without the chain.

    :param to: Names the checkpoint that lists its pieces.
    """

    outcome: Outcome
    to: SiblingPayload


@dataclass(frozen=True, slots=True)
class FannedOut:
    """
    The job's ranges are ready to be given to several chains.

    :param to:       Where the job continues when all of them are done.
    :param plan_key: Key of the object that lists the ranges.
    :param ranges:   Number of the ranges.
    """

    outcome: Outcome
    to: SiblingPayload
    plan_key: str
    ranges: int


HopEnd = Completed | HandOver | Parked | RangeDone | FannedOut
