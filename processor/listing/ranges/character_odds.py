"""Which characters may come at one place of a name: counted from the names seen so far."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

DIGITS = frozenset("0123456789")
_UNTRIED = 0.25  # odds of a digit, or of a character that was seen here, before any name has passed it
_UNSEEN = 1.0  # characters that were never seen here, expected in all, before any name has passed them


class CharacterOdds(NamedTuple):
    """
    How likely names continue with each character.

    :param characters: In order.
    :param odds:       For each, how likely a beginning has names that continue with it.
    :param below:      How many characters are to be expected before each; one entry more, for all of them.
    """

    characters: list[str]
    odds: list[float]
    below: list[float]


class CharacterCounts:
    """
    The counts at one place of names: after how many beginnings a character came, and how many have passed it.

    Names come in order, so a beginning whose next character goes from ``a`` to ``c`` has no name with ``b``.
    """

    __slots__ = ("_left", "_reached", "seen")

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._left: Counter[str] = Counter()
        self._reached: Counter[str] = Counter()

    def step(self, left: str, reached: str) -> None:
        """
        Count a step from one character to the next.

        :param left:    Character before it; ``""`` at the first name of a beginning.
        :param reached: Character after it; ``""`` when the beginning has no more names.
        """
        self._left[left] += 1
        if reached:
            self._reached[reached] += 1
            self.seen.add(reached)

    def odds(self, kin: AbstractSet[str]) -> CharacterOdds:
        """
        Return how likely each character is.

        :param kin: Characters that may come here although none was seen here yet.
        """
        characters, odds, passing = sorted(self.seen | kin), list[float](), 0
        strangers = sum(character not in self.seen and character not in DIGITS for character in characters)
        left, reached = sorted(self._left, reverse=True), sorted(self._reached, reverse=True)
        for character in characters:
            while left and left[-1] < character:
                passing += self._left[left.pop()]
            while reached and reached[-1] < character:
                passing -= self._reached[reached.pop()]
            known = character in self.seen or character in DIGITS
            thought = _UNTRIED if known else _UNSEEN / strangers
            found = self._reached[character]
            odds.append(min(1.0, (found + thought) / (max(passing, found) + 1)))
        return CharacterOdds(characters, odds, [0.0, *accumulate(odds)])


NOTHING = CharacterOdds([], [], [0.0])
