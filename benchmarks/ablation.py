"""What each part of the planner contributes: the first run in virtual time on each set, without one part at a time."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from statistics import geometric_mean, mean
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks import virtual
from processor.listing.ranges import split_choice
from processor.listing.ranges.character_model import CharacterModel
from processor.listing.ranges.character_odds import CharacterCounts
from processor.listing.ranges.key_model import KeyModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _of_one_range(_: object, __: object, ___: object, before: int, came: float, whole: float) -> float:
    """Estimate the keys of a name from one range alone, including the name that the range is in."""
    return before / came if before and came >= 1 else (before + whole) / (came + 1)


# Where a part is, its name there, and its replacement.
PARTS: dict[str, tuple[Any, str, Any] | None] = {
    "nothing": None,
    "whether names continue after this character": (CharacterCounts, "more", lambda _, __, above: min(1.0, above)),
    "characters that came at other places": (CharacterModel, "_relate", lambda *_: None),
    "the listing's end: as far again as it has come": (KeyModel, "as_far_again", lambda *_: None),
    "the listing's end: nearer after each miss": (split_choice, "_DOUBT", 1.0),
    "what is thought to be ahead may pay for guesses": (split_choice, "_TRUSTED", 0.0),
    "a long range continues as it came": (split_choice, "_CONTINUES", 0.0),
    "what other ranges say of the names to come": (KeyModel, "_each", _of_one_range),
}


@dataclass(frozen=True, slots=True)
class Ablation:
    """
    The planner without one of its parts, on all sets of keys.

    :param part:  The part left out.
    :param worst: Speed in times one chain's, on the worst set, and the set's name.
    :param times: Geometric mean of the speeds.
    :param most:  Requests, in times one chain's, on the worst set.
    :param cost:  Mean of the requests.
    """

    part: str
    worst: tuple[float, str]
    times: float
    most: float
    cost: float


def measure(sets: Mapping[str, Sequence[str]], readers: int) -> list[Ablation]:
    """
    Leave out one part after another.

    :param sets: Keys in order, by the name of the set.
    """
    return [_without(part, sets, readers) for part in PARTS]


def _without(part: str, sets: Mapping[str, Sequence[str]], readers: int) -> Ablation:
    left_out = PARTS[part]
    with nullcontext() if left_out is None else patch.object(*left_out):
        found = {name: virtual.run(keys, readers)[0] for name, keys in sets.items()}
    return Ablation(
        part,
        min((each.times, name) for name, each in found.items()),
        geometric_mean(each.times for each in found.values()),
        max(each.cost for each in found.values()),
        mean(each.cost for each in found.values()),
    )
