"""
Gaps in what is known that stay open though a page was thought to close them: what lies in there is counted through.

A folder that has outlasted every guess is likely to continue; how its names continue is seen from its last page.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from processor.listing.interpolation.character_stats import common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.listing.interpolation.key_model import KeyModel
    from processor.listing.plan.range_set import RangeSet

_PATIENCE = 3  # pages more that a gap whose keys are not numbered must outlast
_DEPTH = 3  # characters within which a middle is looked for
_DIGITS = re.compile(r"[0-9]+")


class GapSplitter:
    """
    The gaps, each known by the start that lies after it.

    :param cover: What is known, and what is under way.
    :param space: The characters of the keys.
    """

    def __init__(self, cover: RangeSet, space: KeyModel) -> None:
        self._cover, self._space = cover, space
        self._outlasted: dict[str, int] = {}

    def landed(self, following: str, last: str | None) -> None:
        """
        Note how far a page came that was thought to close a gap.

        :param last: Its last key; ``None`` where the listing ends with it.
        """
        if last is not None and last < following:
            self._outlasted[following] = self._outlasted.get(following, 0) + 1
        else:
            self._outlasted.pop(following, None)

    def passed(self, front: str) -> None:
        """Forget the gaps that the order has passed."""
        self._outlasted = {following: pages for following, pages in self._outlasted.items() if following > front}

    def inside(self, place: str, following: str, count: float) -> str | None:
        """
        Guess in a gap: not more often than it has outlasted such a thought.

        :param place: Where the last page before the gap's end is under way.
        :param count: Keys after it at which to guess.
        """
        outlasted = self._outlasted.get(following, 0)
        before = self._cover.before(place) if outlasted else None
        if before is None:
            return None
        flying = self._cover.flying
        under_way = bisect_left(flying, following) - bisect_left(flying, before.to or "")
        if under_way >= outlasted:
            return None
        guess = _counted(before.keys, place, count)
        if guess is None and under_way < outlasted - _PATIENCE:
            guess = self._middle(place, following)
        return guess if guess is not None and place < guess < following else None

    def _middle(self, place: str, following: str) -> str | None:
        """Return the middle of the characters that may stand where a place and the start after the gap part."""
        apart, dials = common(place, following, self._space.first), self._space.reading(place).dials
        for depth in range(apart, min(apart + _DEPTH, len(place))):
            dial = dials[depth - self._space.first]
            if dial is None:
                return None
            end = following[depth : depth + 1] if depth == apart else ""
            between = [each for each in dial.characters if each > place[depth] and (not end or each < end)]
            if between:
                return place[:depth] + between[len(between) // 2]
        return None


def _counted(keys: Sequence[str], place: str, count: float) -> str | None:
    """Count on from a place as numbered keys do; ``None`` where theirs are not, or the digits do not suffice."""
    if len(keys) < 2:  # noqa: PLR2004 - from one to another
        return None
    start = common(keys[0], keys[-1], 0)
    while start and keys[-1][start - 1].isdigit():
        start -= 1
    found = [_DIGITS.match(key, start) for key in (keys[0], keys[-1], place)]
    numbers = [each[0] for each in found if each is not None]
    if len({len(number) for number in numbers}) != 1 or len(numbers) < len(found) or place[:start] != keys[-1][:start]:
        return None
    step = (int(numbers[1]) - int(numbers[0])) / (len(keys) - 1)
    digits = str(int(numbers[2]) + max(1, round(step * count))).zfill(len(numbers[2]))
    return place[:start] + digits if len(digits) == len(numbers[2]) else None
