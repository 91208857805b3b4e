"""
A guess at the key that lies so many keys further on.

A guess need not exist: S3 starts after it all the same. It is made of characters that keys have at those places.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from processor.listing.interpolation.character_stats import common
from processor.listing.interpolation.density import Density
from processor.listing.interpolation.key_model import KeyModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.listing.interpolation.character_stats import Distribution

MOST_BYTES = 1024  # of a key
_LONGEST = 48  # characters that a guess adds
_FINE = 100  # a wheel under which a smaller share of the distance lies is not looked at


class KeyPredictor:
    """
    Guesses from what has been learnt of a listing.

    :param prefix: All keys begin with it.

    ``space`` is what has been learnt of their characters.
    """

    def __init__(self, prefix: str) -> None:
        self.space = KeyModel(prefix)
        self._trail = Density(self.space)
        self._ahead: dict[str, Density] = {}  # by the last key
        self._estimates: dict[tuple[str, str], list[float]] = {}  # by the key, and the last one ahead

    def learn(self, keys: Sequence[str]) -> None:
        """Take the next keys in order; they follow those before without a gap."""
        if keys:
            self.space.learn(keys)
            self._trail.learn(keys)
            self._ahead = {last: trail for last, trail in self._ahead.items() if last > keys[-1]}
            self._estimates.clear()

    def after(self, key: str, count: float, ahead: Sequence[Sequence[str]] = ()) -> str | None:
        """
        Guess the key that lies ``count`` keys after another.

        :param key:   Any string with the prefix, in the listing or not.
        :param ahead: The pages nearest before it, if they are beyond what was learnt; there is no gap between them.
        :return: ``None`` where nothing seen so far tells.
        """
        reading = self.space.reading(key)
        if not self._trail.seen or not reading.dials:
            return None
        totals = self._totals(key, ahead)
        entire, left = totals[-1] * reading.shares[-1], count
        if entire > left:  # the key is the beginning of more than is to be jumped over
            return _cut(key + self._inside(key, left / entire, entire, count))
        left -= entire
        for depth in range(len(totals) - 1, -1, -1):
            dial = reading.dials[depth]
            if dial is None or (depth and totals[depth] < count / _FINE):
                continue
            start = bisect_right(dial.characters, key[self.space.first + depth])
            rest = (1 - dial.before[start]) * totals[depth]
            if start == len(dial.characters) or rest <= left:
                left = max(0.0, left - rest)
                continue
            index, share = _turned(dial, start, left, totals[depth])
            if index < len(dial.characters):
                head = key[: self.space.first + depth] + dial.characters[index]
                return _cut(head + self._inside(head, share, totals[depth] * dial.shares[index], count))
            left = 0.0
        return None

    def _totals(self, key: str, ahead: Sequence[Sequence[str]]) -> list[float]:
        """Estimate how many keys lie under each beginning of a key; some distances are asked for from each."""
        last = ahead[-1][-1] if ahead else ""
        totals = self._estimates.get((key, last))
        if totals is None:
            totals = self._continued(key, self._trail, self._trail.totals())
            if ahead:
                trail = self._trail_of(last, ahead)
                totals = self._continued(key, trail, trail.totals(totals))
            self._estimates[key, last] = totals
        return totals

    def _trail_of(self, last: str, pages: Sequence[Sequence[str]]) -> Density:
        """Return the trail of some pages ahead, learnt once."""
        trail = self._ahead.get(last)
        if trail is None:
            trail = self._ahead[last] = Density(self.space)
            for keys in pages:
                trail.learn(keys)
        return trail

    def _continued(self, key: str, trail: Density, totals: Sequence[float]) -> list[float]:
        """Continue from the beginnings that a key shares with a trail's end: by the characters' shares."""
        reading = self.space.reading(key)
        shared = common(key, trail.last, self.space.first) - self.space.first
        found = list(totals[: min(shared + 1, len(reading.dials))])
        while len(found) < len(reading.dials):
            found.append(found[-1] * reading.shares[len(found) - 1])
        return found

    def _inside(self, head: str, share: float, weight: float, count: float) -> str:
        """Spell out a share of what lies under a beginning, as finely as is worth it."""
        found, level = "", head.count("/", self.space.first)
        offset = len(head) - max(head.rfind("/") + 1, self.space.first)
        before = head[-1] if offset else ""
        while share * weight > count / _FINE and len(found) < _LONGEST:
            dial = self.space.dial((level, offset, before))
            if dial is None:
                break
            index = min(bisect_right(dial.before, share), len(dial.characters)) - 1
            share = min((share - dial.before[index]) / dial.shares[index], 1.0)
            weight *= dial.shares[index]
            before = dial.characters[index]
            found += before
            level, offset = (level + 1, 0) if before == "/" else (level, offset + 1)
            before = before if offset else ""
        return found


def _turned(dial: Distribution, start: int, left: float, total: float) -> tuple[int, float]:
    """
    Return the character at which so many keys more are behind, and the share of its keys that are.

    Where a beginning has few of the characters, the next one that it has may lie further on, and two guesses before it
    would bring the same page. None of the characters is meant where that is beyond them.
    """
    at = dial.before[start] + left / total
    index = min(max(bisect_right(dial.before, at) - 1, start), len(dial.characters) - 1)
    if total * dial.shares[index] * dial.gap > left and (further := start - 1 + int(dial.gap)) > index:
        return further, 0.0
    return index, max(0.0, at - dial.before[index]) / dial.shares[index]


def _cut(guess: str) -> str:
    """Shorten a guess to what S3 takes; it then lies a little nearer."""
    return guess.encode()[:MOST_BYTES].decode(errors="ignore")
