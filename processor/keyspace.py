"""
The shape of a listing, learnt from its pages: how many keys lie behind each turn of the wheels.

A key is read like the number on an odometer whose wheels are its characters. Only turns that are worth it are looked
at, with some hundred comparisons a page.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from processor.wheel import Place, Wheel, common, places_of

if TYPE_CHECKING:
    from collections.abc import Sequence

FINE = 32  # a turn that stands for a smaller share of a page is not followed further
_MOST_TURNS = 48  # looked at in one page, on one wheel
_MOST_WHEELS = 4096
_SAMPLES = 16  # keys of a page whose characters are noted
_CROSSINGS = 8  # borders of one page that are looked at


class Keyspace:
    """
    The shape of a listing, learnt page by page.

    ``first`` is the length of the prefix, ``last`` the last key learnt, ``seen`` how many were, and ``began`` tells for
    each character of the last key behind the prefix how many had been seen before it came there (``None``: not known).

    :param prefix: All keys begin with it.
    :param start:  Key behind which the listing begins.
    """

    def __init__(self, prefix: str, start: str = "") -> None:
        self.first = len(prefix)
        self.wheels: dict[Place, Wheel] = {}
        self.last = max(prefix, start)
        self.began: list[int | None] = []
        self.seen = self._pages = 0

    def learn(self, keys: Sequence[str]) -> None:
        """Take the next keys in order; they follow those before without a gap."""
        if not keys:
            return
        if self._pages < _SAMPLES or self._pages % _SAMPLES == 0:
            self._learn_characters(keys[:: max(1, len(keys) // _SAMPLES)])
        self._take(keys, len(keys) // FINE)
        self._pages += 1

    def _wheel(self, place: Place) -> Wheel:
        """Return the wheel of a place; one that is forgotten at once when there are too many."""
        wheel = self.wheels.get(place)
        if wheel is None:
            wheel = Wheel()
            if len(self.wheels) < _MOST_WHEELS:
                self.wheels[place] = wheel
        return wheel

    def _pair(self, places: Sequence[Place], index: int) -> tuple[Wheel, ...]:
        """Return the wheels of a character: whichever stands before it, and behind the one that does."""
        level, offset, before = places[index]
        general = self._wheel((level, offset, ""))
        return (general, self._wheel(places[index])) if before else (general,)

    def _learn_characters(self, keys: Sequence[str]) -> None:
        """Note which characters stand where, in some keys."""
        for key in keys:
            places = places_of(key, self.first)
            for index, character in enumerate(key[self.first :]):
                for wheel in self._pair(places, index):
                    wheel.sighted += 1
                    wheel.characters.add(character)

    def _take(self, keys: Sequence[str], fine: int, crossings: int = _CROSSINGS) -> None:
        """
        Count the keys behind each turn of the wheels, along the way to the last key.

        What lies before the border that the page crosses is taken first, up to some borders within it.
        """
        last = self.last
        depth = common(last, keys[-1], self.first)
        if depth < len(last):
            crossing = bisect_left(keys, last[:depth] + chr(ord(last[depth]) + 1))
            if crossing > fine and crossings:
                self._take(keys[:crossing], fine, crossings - 1)
            elif crossing:
                self.began = self.began[: common(last, keys[crossing - 1], self.first) - self.first]
                self.seen, self.last = self.seen + crossing, keys[crossing - 1]
            self._close(depth)
            keys = keys[crossing:]
        self._walk(keys, depth, fine)
        self.seen += len(keys)
        self.last = keys[-1]

    def _close(self, depth: int) -> None:
        """Note that the wheel at this depth turns on, and that those behind it carried."""
        places = places_of(self.last, self.first)
        for index in range(depth - self.first, len(self.began)):
            began = self.began[index]
            for wheel in self._pair(places, index):
                if began is not None:
                    wheel.turned(self.last[self.first + index], self.seen - began, self.seen)
                wheel.carried += index > depth - self.first
                wheel.parents += index > depth - self.first and self.began[index - 1] is not None
        del self.began[depth - self.first :]

    def _walk(self, keys: Sequence[str], depth: int, fine: int) -> None:
        """Note the turns of the wheels from this depth on, all of which begin anew with the first of the keys."""
        last, low, count = keys[-1], 0, len(keys)
        self.began += [None] * (depth - self.first - len(self.began))
        places = places_of(last, self.first)
        before = 0
        while depth < len(last) and count - low > fine:
            at, before = low, low
            low, before = self._turns(keys, at, depth, self._pair(places, depth - self.first))
            self.began.append(self.seen + low)
            depth += 1
        # What is too small here to be followed further is looked at once, in the last group that is whole.
        if before < low:
            self._look_into(keys[before:low], depth)

    def _look_into(self, keys: Sequence[str], depth: int) -> None:
        """Note the turns of the wheels within one group of keys that is whole."""
        places, low, count = places_of(keys[-1], self.first), 0, len(keys)
        while depth < len(keys[-1]) and count - low > 1:
            low, _ = self._turns(keys, low, depth, self._pair(places, depth - self.first))
            for wheel in self._pair(places, depth - self.first):
                wheel.turned(keys[-1][depth], count - low, self.seen)
            depth += 1
            keys, low, count = keys[low:], 0, count - low

    def _turns(self, keys: Sequence[str], at: int, depth: int, wheels: Sequence[Wheel]) -> tuple[int, int]:
        """
        Note the turns of one wheel.

        :return: Where its last character begins, and the one before, if that has been looked at.
        """
        last, count, turns, before = keys[-1], len(keys), 0, at
        while (character := keys[at][depth : depth + 1]) != last[depth]:
            turns += 1
            if turns > _MOST_TURNS:
                at = bisect_left(keys, last[: depth + 1], at, count)
                return at, at
            after = last[:depth] + (chr(ord(character) + 1) if character else "\0")
            turn = bisect_left(keys, after, at + 1, count)
            if character:
                for wheel in wheels:
                    wheel.turned(character, turn - at, self.seen + turn)
            at, before = turn, at
        for wheel in wheels:
            wheel.characters.add(last[depth])
        return at, before
