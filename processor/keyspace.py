"""
What the keys seen so far tell of those to come: a guess at the key that lies so many keys further on.

A key is read like the number on an odometer whose wheels are its characters. Which characters a wheel has, and how many
keys one of them stands for, is learnt from the pages. A guess need not exist; S3 starts after it all the same.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Where a character stands: in which folder level, how far into the name there, and behind which character ("": any).
_Place = tuple[int, int, str]
_REMEMBERED = 16  # how many turns of a wheel count
_OWN = 5
_FINE = 32  # a guess is as fine as this share of what it jumps over
_MOST_TURNS = 48  # looked at in one page, on one wheel
_SAMPLES = 16
_DIGITS = "0123456789"
_LONGEST = 48  # characters that a guess adds
_FEW = 3
_TINY = 1e-6
_ONES = repeat(1.0)


class _Wheel:
    """One place: the characters seen there, and how many keys each of the last ones stood for."""

    __slots__ = (
        "_factors",
        "_order",
        "_own",
        "_weight",
        "carried",
        "characters",
        "counts",
        "fresh",
        "parents",
        "sighted",
        "turns",
    )

    def __init__(self) -> None:
        self.characters: set[str] = set()
        self.counts: deque[int] = deque(maxlen=_REMEMBERED)
        self.carried = 0
        self.fresh = self.sighted = self.turns = self.parents = 0
        self._order = ""
        self._own: dict[str, deque[int]] = {}
        self._weight: float | None = None
        self._factors: dict[str, float] | None = None

    def turned(self, character: str, keys: int, seen: int) -> None:
        self.characters.add(character)
        self.counts.append(keys)
        own = self._own.get(character)
        if own is None:
            own = self._own[character] = deque(maxlen=_OWN)
        own.append(keys)
        self.fresh = seen
        self.turns += 1
        self._weight = self._factors = None

    @property
    def order(self) -> str:
        if len(self._order) != len(self.characters):
            self._order = "".join(sorted(self.characters))
        return self._order

    @property
    def occupancy(self) -> float:
        """Share of the characters that there are behind one beginning: random digits leave most out."""
        if self.parents < _FEW:
            return 1.0
        return min(1.0, 1.1 * self.turns / self.parents / len(self.characters))

    @property
    def weight(self) -> float | None:
        """Mean of the middle half of the last counts: one huge folder among small ones does not spoil it."""
        if self._weight is None and self.counts:
            counts, cut = sorted(self.counts), len(self.counts) // 4
            middle = counts[cut : len(counts) - cut]
            self._weight = max(sum(middle) / len(middle), _TINY)
        return self._weight

    @property
    def factors(self) -> dict[str, float]:
        """Characters that stand for more or fewer keys than the others, and how many times as many."""
        if self._factors is None:
            weight, self._factors = self.weight or 1.0, {}
            noise = 3 * max(weight, 1.0) ** 0.5
            for character, own in self._own.items():
                if len(own) > 1 and abs((median := sorted(own)[len(own) // 2]) - weight) > noise:
                    self._factors[character] = max(median / weight, _TINY)
        return self._factors


# A wheel that turns: its place in a key, its characters, and the keys behind one turn.
_Turning = tuple[int, _Wheel, str, float]


class Keyspace:
    """
    The shape of a listing, learnt page by page.

    :param prefix: All keys begin with it.
    """

    def __init__(self, prefix: str, start: str = "") -> None:
        self._first = len(prefix)
        self._wheels: dict[_Place, _Wheel] = {}
        self._last = max(prefix, start)
        self._began: list[
            int | None
        ] = []  # for each character of the last key behind the prefix: keys seen before it came
        self._seen = self._pages = 0

    def learn(self, keys: Sequence[str]) -> None:
        """Take the next keys in order; they follow those before without a gap."""
        if not keys:
            return
        if self._pages < _SAMPLES or self._pages % _SAMPLES == 0:
            self._learn_characters(keys[:: max(1, len(keys) // _SAMPLES)])
        self._take(keys, len(keys) // _FINE)
        self._pages += 1

    def _wheel(self, place: _Place) -> _Wheel:
        wheel = self._wheels.get(place)
        if wheel is None:
            wheel = self._wheels[place] = _Wheel()
        return wheel

    def _pair(self, places: Sequence[_Place], index: int) -> tuple[_Wheel, ...]:
        level, offset, before = places[index]
        general = self._wheel((level, offset, ""))
        return (general, self._wheel(places[index])) if before else (general,)

    def _learn_characters(self, keys: Sequence[str]) -> None:
        wheels = self._wheels
        for key in keys:
            level, offset, before = 0, 0, ""
            for character in key[self._first :]:
                for place in ((level, offset, ""), (level, offset, before)) if before else ((level, offset, ""),):
                    wheel = wheels.get(place)
                    if wheel is None:
                        wheel = wheels[place] = _Wheel()
                    wheel.sighted += 1
                    wheel.characters.add(character)
                level, offset, before = (level + 1, 0, "") if character == "/" else (level, offset + 1, character)

    def _take(self, keys: Sequence[str], fine: int) -> None:
        """Count the keys behind each turn of the wheels, along the way to the last key, where a turn is worth it."""
        last = self._last
        depth = _common(last, keys[-1], self._first)
        if depth < len(last):
            crossing = bisect_left(keys, last[:depth] + chr(ord(last[depth]) + 1))
            if crossing > fine:
                self._take(keys[:crossing], fine)
            elif crossing:
                self._began = self._began[: _common(last, keys[crossing - 1], self._first) - self._first]
                self._seen, self._last = self._seen + crossing, keys[crossing - 1]
            self._close(depth)
            keys = keys[crossing:]
        self._walk(keys, depth, fine)
        self._seen += len(keys)
        self._last = keys[-1]

    def _close(self, depth: int) -> None:
        """Note that the wheel at this depth turns on, and that those behind it carried."""
        places = _places(self._last, self._first)
        for index in range(depth - self._first, len(self._began)):
            began = self._began[index]
            for wheel in self._pair(places, index):
                if began is not None:
                    wheel.turned(self._last[self._first + index], self._seen - began, self._seen)
                wheel.carried += index > depth - self._first
                wheel.parents += index > depth - self._first and self._began[index - 1] is not None
        del self._began[depth - self._first :]

    def _walk(self, keys: Sequence[str], depth: int, fine: int) -> None:
        """Note the turns of the wheels from this depth on, all of which begin anew with the first of the keys."""
        last, low, count = keys[-1], 0, len(keys)
        self._began += [None] * (depth - self._first - len(self._began))
        places = _places(last, self._first)
        before = 0
        while depth < len(last) and count - low > fine:
            at, before = low, low
            low, before = self._turns(keys, at, depth, self._pair(places, depth - self._first))
            self._began.append(self._seen + low)
            depth += 1
        # What is too small here to be followed further is looked at once, in the last group that is whole.
        if before < low:
            self._look_into(keys[before:low], depth)

    def _look_into(self, keys: Sequence[str], depth: int) -> None:
        places, low, count = _places(keys[-1], self._first), 0, len(keys)
        while depth < len(keys[-1]) and count - low > 1:
            low, _ = self._turns(keys, low, depth, self._pair(places, depth - self._first))
            for wheel in self._pair(places, depth - self._first):
                wheel.turned(keys[-1][depth], count - low, self._seen)
            depth += 1
            keys, low, count = keys[low:], 0, count - low

    def _turns(self, keys: Sequence[str], at: int, depth: int, wheels: Sequence[_Wheel]) -> tuple[int, int]:
        """Note the turns of one wheel; return where its last character begins, and the one before."""
        last, count, turns, before = keys[-1], len(keys), 0, at
        while (character := keys[at][depth : depth + 1]) != last[depth]:
            turns += 1
            if turns > _MOST_TURNS:
                return bisect_left(keys, last[: depth + 1], at, count), at
            after = last[:depth] + (chr(ord(character) + 1) if character else "\0")
            turn = bisect_left(keys, after, at + 1, count)
            if character:
                for wheel in wheels:
                    wheel.turned(character, turn - at, self._seen + turn)
            at, before = turn, at
        for wheel in wheels:
            wheel.characters.add(last[depth])
        return at, before

    def after(self, key: str, count: float) -> str | None:
        """
        Guess the key that lies ``count`` keys behind another.

        :param key: Any string with the prefix, in the listing or not.
        :return: ``None`` where nothing seen so far tells.
        """
        first = self._first
        turning, entire = self._turning(key, count)
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
                    return head + self._inside(head, max(0.0, left / own), own, count)
                left -= own
        return None

    def _most(self, key: str, turning: Sequence[_Turning]) -> list[float]:
        """Return for each wheel what may lie behind its turns at most: what one turn of the wheel before it does."""
        most, found, first = math.inf, [], self._first
        along = _common(key, self._last, first) - first
        for index, wheel, _, weight in turning:
            found.append(most)
            if len(wheel.counts) < _FEW:
                continue
            began = self._began[index] if index < len(self._began) else self._seen
            if index >= along or (began is not None and self._seen - began < weight):
                most = min(most, 1.5 * weight * wheel.factors.get(key[first + index], 1.0))
            else:
                most = math.inf
        return found

    def _turning(self, key: str, count: float) -> tuple[list[_Turning], float]:
        """
        Return the wheels that turn, down to where it matters no more.

        :return: Place in the key, wheel, characters and keys behind a turn of each; then the keys that lie under the
            whole of the key itself, where it ends above that.
        """
        places, first = _places(key, self._first), self._first
        fine, found = count / _FINE, list[_Turning]()
        wheels = [self._best(place) for place in places]
        depth = len(wheels)
        while depth > 1 and all(not wheel or (wheel.weight or 0) < fine for wheel in wheels[depth - 2 : depth]):
            depth -= 1
        home = max(self._last.rfind("/") + 1, first) - first
        settled = self._began[home] if home < len(self._began) and key.startswith(self._last[: first + home]) else None
        below, fresh, entire = _TINY, 0, 0.0
        for index in range(depth - 1, -1, -1):
            wheel = wheels[index]
            if wheel is None:
                continue
            alphabet, weight = self._alphabet(places[index], wheel), wheel.weight
            stale = settled is not None and index >= home and wheel.fresh <= settled < fresh
            if weight is None or len(wheel.counts) < _FEW or stale:
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

    def _best(self, place: _Place) -> _Wheel | None:
        """Return what is known of a place: behind this very character, where that has been seen to its end."""
        close = self._wheels.get(place) if place[2] else None
        known = close is not None and (close.carried > 1 or close.sighted >= 4 * len(close.characters) + 4)
        return close if known else self._wheels.get((place[0], place[1], ""))

    def _alphabet(self, place: _Place, wheel: _Wheel) -> str:
        """Return a wheel's characters; one that has not turned a round yet may have those of the next."""
        own = wheel.order
        if wheel.carried or not own:
            return own
        neighbour = self._wheels.get((place[0], place[1] + 1, ""))
        if neighbour is not None and len(neighbour.characters) > len(own) and wheel.characters <= neighbour.characters:
            return neighbour.order
        if own[-1] in _DIGITS[:-1] and own[0] in _DIGITS:
            return own + _DIGITS[int(own[-1]) + 1]
        return own

    def _inside(self, head: str, share: float, weight: float, count: float) -> str:
        """Spell out a share of what lies under a beginning, as finely as is worth it."""
        found, fine = "", count / _FINE / 2
        level = head.count("/", self._first)
        offset = len(head) - max(head.rfind("/") + 1, self._first)
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


def _places(key: str, first: int) -> list[_Place]:
    """Return the place of each character behind the prefix."""
    places: list[_Place] = []
    level, offset, before = 0, 0, ""
    for character in key[first:]:
        places.append((level, offset, before))
        if character == "/":
            level, offset, before = level + 1, 0, ""
        else:
            offset, before = offset + 1, character
    return places


def _common(one: str, other: str, first: int) -> int:
    """Return how many characters two keys share, at least ``first``."""
    low, high = first, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
