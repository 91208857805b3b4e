"""Which characters may come at one place of a name: counted from the names seen so far."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from math import exp
from operator import add
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

DIGITS = frozenset("0123456789")
_UNTRIED = 0.5  # odds of a character that no name has passed, where two are known
_LEAST = 0.05  # odds of a further name of any beginning, while nothing is known of it
_WEIGHT = 1.0  # beginnings that the prior estimate counts for


class CharacterOdds(NamedTuple):
    """
    How likely names continue with each character.

    :param characters: In order.
    :param odds:       For each, how likely a beginning has names that continue with it.
    :param below:      How many characters are expected before each; the last entry is for all of them.
    :param further:    How likely a beginning that has names continues with one of the next characters.
    :param steps:      Steps that these odds were counted from.
    """

    characters: list[str]
    odds: list[float]
    below: list[float]
    further: float
    steps: int


class CharacterCounts:
    """
    The counts at one place of names: after how many beginnings a character came, and how many have passed it.

    Names come in order, so a beginning whose next character goes from ``a`` to ``c`` has no name with ``b``.
    """

    __slots__ = ("_reached", "ended", "first", "left", "seen", "steps")

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.steps = 0
        self.first: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self._reached: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def step(self, left: str, reached: str) -> None:
        """Count a step from one character to the next of the same beginning."""
        self.steps += 1
        self.seen |= {left, reached}
        self.left[left] += 1
        self._reached[reached] += 1

    def odds(self, kin: AbstractSet[str]) -> CharacterOdds:
        """
        Return how likely each character is.

        :param kin: Characters that may come here although none was seen here yet.
        """
        characters = sorted(self.seen | kin)
        later, first = self._passed(characters)
        found = [self._reached[each] + self.first[each] for each in characters]
        start = _UNTRIED if len(self.seen) > 1 else _LEAST / len(characters)
        further = (self._reached.total() + start) / (sum(later) + 1)
        passed = [max(one) for one in zip(map(add, later, first), found, strict=True)]
        density = (sum(found) + start) / (sum(passed) + 1)
        odds = [(came + density) / (asked + 1) for came, asked in zip(found, passed, strict=True)]
        return CharacterOdds(characters, odds, [0.0, *accumulate(odds)], further, self.steps)

    def _passed(self, characters: Sequence[str]) -> tuple[list[int], list[int]]:
        """Count for each character the steps that reached or passed it: from a character, and from a beginning."""
        later, first = [0] * (len(characters) + 1), [0] * (len(characters) + 1)
        place = {character: index for index, character in enumerate(characters, 1)}
        for character, count in self.left.items():
            later[place[character]] += count
        for character, count in self._reached.items():
            later[place[character]] -= count
        first[0] = self.first.total()
        for character, count in self.first.items():
            first[place[character]] -= count
        return list(accumulate(later))[:-1], list(accumulate(first))[:-1]

    def more(self, character: str, above: float) -> float:
        """
        Return how likely a beginning has names after those with a character.

        :param above: How many characters after it are expected of any beginning.
        """
        thought = max(_LEAST, 1 - exp(-above))
        count = self.left[character]
        return (count - self.ended[character] + _WEIGHT * thought) / (count + _WEIGHT)


NOTHING = CharacterOdds([], [], [0.0], 0.0, 0)
