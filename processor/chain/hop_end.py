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
    The guards let the chain go on.

    :param to: Where the next sibling goes on.
    """

    outcome: Outcome
    to: SiblingPayload


@dataclass(frozen=True, slots=True)
class Parked:
    """
    A guard stopped the chain.

    :param to:     Where the chain goes on once it is resumed.
    :param reason: The guard's name for it.
    """

    outcome: Outcome
    to: SiblingPayload
    reason: str


HopEnd = Completed | HandOver | Parked
