"""
A guess at the key that lies so many keys further on.

A guess need not exist: S3 starts after it all the same. It is made of characters that keys have at those places.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import repeat
from typing import TYPE_CHECKING

from processor.keyspace import FINE
from processor.wheel import FEW, TINY, Place, Wheel, common, places_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.keyspace import Keyspace

MOST_BYTES = 1024  # of a key
_DIGITS = "0123456789"
_LONGEST = 48  # characters that a guess adds
_SURE = 4  # sightings for each character that has been seen: then there are no others
_ONES = repeat(1.0)
_SLACK = 1.5  # what one turn stands for may be that many times as much as thought
# A wheel that turns: its place in a key, its characters, and the keys behind one turn.
_Turning = tuple[int, Wheel, str, float]


class Guesses:
    """
    Reads the wheels of a listing.

    :param space: What has been learnt of it.
    """

    def __init__(self, space: Keyspace) -> None:
        self._space = space

    def after(self, key: str, count: float) -> str | None:
        """
        Guess the key that lies ``count`` keys behind another.

        :param key: Any string with the prefix, in the listing or not.
        :return: ``None`` where nothing seen so far tells.
        """
        first = self._space.first
        turning, entire = self._turning(key, count)
        if count < entire:  # the place is the beginning of more than is to be jumped over
            return _cut(key + self._inside(key, count / entire, entire, count))
        left, most = count - entire, self._most(key, turning)
        for at in range(len(turning) - 1, -1, -1):
            index, wheel, alphabet, weight = turning[at]
            share, bound = weight * wheel.occupancy, most[at]
            for character in alphabet[bisect_right(alphabet, key[first + index]) :]:
                own = min(share * wheel.factors.get(character, 1.0), bound - count + left)
                if own <= 0:
                    break
                if left < own:
                    head = key[: first + index] + character
                    return _cut(head + self._inside(head, max(0.0, left / own), own, count))
                left -= own
        return None

    def _most(self, key: str, turning: Sequence[_Turning]) -> list[float]:
        """Return for each wheel what may lie behind its turns at most: what one turn of the wheel before it does."""
        most, found, first = math.inf, [], self._space.first
        along = common(key, self._space.last, first) - first
        for index, wheel, _, weight in turning:
            found.append(most)
            if len(wheel.counts) < FEW:
                continue
            began = self._space.began[index] if index < len(self._space.began) else self._space.seen
            if index >= along or (began is not None and self._space.seen - began < weight):
                most = min(most, _SLACK * weight * wheel.factors.get(key[first + index], 1.0))
            else:
                most = math.inf
        return found

    def _turning(self, key: str, count: float) -> tuple[list[_Turning], float]:
        """
        Return the wheels that turn, down to where it matters no more.

        :return: Place in the key, wheel, characters and keys behind a turn of each; then the keys that lie under the
            whole of the key itself, where it ends above that.
        """
        places, first = places_of(key, self._space.first), self._space.first
        fine, found = count / FINE, list[_Turning]()
        wheels = [self._best(place) for place in places]
        depth = len(wheels)
        while depth > 1 and all(not wheel or (wheel.weight or 0) < fine for wheel in wheels[depth - 2 : depth]):
            depth -= 1
        home = max(self._space.last.rfind("/") + 1, first) - first
        settled = (
            self._space.began[home]
            if home < len(self._space.began) and key.startswith(self._space.last[: first + home])
            else None
        )
        below, fresh, entire = TINY, 0, 0.0
        for index in range(depth - 1, -1, -1):
            wheel = wheels[index]
            if wheel is None:
                continue
            alphabet, weight = self._alphabet(places[index], wheel), wheel.weight
            stale = settled is not None and index >= home and wheel.fresh <= settled < fresh
            if weight is None or len(wheel.counts) < FEW or stale:
                weight = below if stale or fresh else max(below, weight or 0)
            else:
                fresh = max(fresh, wheel.fresh)
            if index == len(places) - 1:
                entire = weight
            if len(alphabet) > 1:
                found.append((index, wheel, alphabet, weight))
                own = sum(map(wheel.factors.get, alphabet, _ONES)) if wheel.factors else len(alphabet)
                below = max(weight, weight * wheel.occupancy * own)
            else:
                below = weight
        found.reverse()
        return found, entire

    def _best(self, place: Place) -> Wheel | None:
        """Return what is known of a place: behind this very character, where that has been seen to its end."""
        close = self._space.wheels.get(place) if place[2] else None
        known = close is not None and (close.carried > 1 or close.sighted >= _SURE * (len(close.characters) + 1))
        return close if known else self._space.wheels.get((place[0], place[1], ""))

    def _alphabet(self, place: Place, wheel: Wheel) -> str:
        """Return a wheel's characters; one that has not turned a round yet may have those of the next."""
        own = wheel.order
        if wheel.carried or not own:
            return own
        neighbour = self._space.wheels.get((place[0], place[1] + 1, ""))
        if neighbour is not None and len(neighbour.characters) > len(own) and wheel.characters <= neighbour.characters:
            return neighbour.order
        if own[-1] in _DIGITS[:-1] and own[0] in _DIGITS:
            return own + _DIGITS[int(own[-1]) + 1]
        return own

    def _inside(self, head: str, share: float, weight: float, count: float) -> str:
        """Spell out a share of what lies under a beginning, as finely as is worth it."""
        found, fine = "", count / FINE / 2
        level = head.count("/", self._space.first)
        offset = len(head) - max(head.rfind("/") + 1, self._space.first)
        before = head[-1] if offset else ""
        while share * weight > fine and len(found) < _LONGEST:
            wheel = self._best((level, offset, before))
            alphabet = self._alphabet((level, offset, before), wheel) if wheel else ""
            if not wheel or not alphabet:
                break
            own = [wheel.factors.get(character, 1.0) for character in alphabet]
            total, digit = sum(own), 0
            into = share * total
            while digit < len(own) - 1 and into >= own[digit]:
                into -= own[digit]
                digit += 1
            share, weight = min(into / own[digit], 1.0), weight * own[digit] / total
            before = alphabet[digit]
            found += before
            level, offset = (level + 1, 0) if before == "/" else (level, offset + 1)
            before = before if offset else ""
        return found


def _cut(guess: str) -> str:
    """Shorten a guess to what S3 takes; it then lies a little nearer."""
    return guess.encode()[:MOST_BYTES].decode(errors="ignore")
