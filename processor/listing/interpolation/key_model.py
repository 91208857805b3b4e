"""
The characters of a listing's keys, learnt from its pages.

A key is read like the number on an odometer whose wheels are its characters. Only some keys of a page are looked at,
and of those only the wheels that turn between them.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from processor.listing.interpolation.character_stats import (
    FIRST,
    CharacterStats,
    Distribution,
    OpenGroup,
    Place,
    common,
    following,
    places_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_WHEELS = 4096
_SAMPLES = 8  # keys of a page that are looked at
_NEW, _AT_ONCE = 8, 32  # the first pages, and the keys of each of them
# Pages after which what was learnt counts: each of so many, then one in so many, and in a long listing one in as many
# as are a sixteenth of it.
_AT_FIRST, _EVERY = 16, 4
_DEEPER = 3  # wheels that are noted from where two samples part
_MOST_READINGS = 48
_DIGITS = frozenset("0123456789")
_FIRST_PRINTABLE, _NO_CHARACTERS = " ", frozenset("\ufffe\uffff")  # XML 1.0 cannot carry what is none


class Reading(NamedTuple):
    """
    A key, read off its wheels; each list has an entry for each character after the prefix.

    :param behind: Share of the keys under the beginning before this character that lie before the key.
    :param turns:  The same, counted in turns of the wheel.
    :param shares: Share of the keys under that beginning which have this character.
    :param dials:  The wheels' dials, as far as they are known.
    """

    behind: list[float]
    turns: list[float]
    shares: list[float]
    dials: list[Distribution | None]


class KeyModel:
    """
    The wheels of a listing.

    :param prefix: All keys begin with it.

    ``first`` is its length.
    """

    def __init__(self, prefix: str) -> None:
        self.first = len(prefix)
        self.wheels: dict[Place, CharacterStats] = {}
        self._letters: set[str] = set()
        self._previous: str | None = None  # sample
        self._rounds: list[OpenGroup] = []  # that have not ended, one for each character
        self._pages = self._samples = 0
        self._dials: dict[Place, Distribution | None] = {}
        self._readings: dict[str, Reading] = {}

    def learn(self, keys: Sequence[str]) -> None:
        """Take the next keys in order; they follow those before without a gap."""
        count = len(keys)
        samples = min(count, _AT_ONCE if self._pages < _NEW else _SAMPLES)
        for number in range(samples):
            self._sample(keys[(2 * number + 1) * count // (2 * samples)])
        if self._pages < _AT_FIRST or self._pages % max(_EVERY, self._pages // _AT_FIRST) == 0:
            self._dials.clear()
            self._readings.clear()
        self._pages += 1

    def dial(self, place: Place) -> Distribution | None:
        """Return what the wheel of a place shows; ``None`` where nothing was seen."""
        if place not in self._dials:
            wheel = self.wheels.get((place[0], place[1], ""))
            characters = [] if wheel is None else self._characters(place, wheel)
            close = self.wheels.get(place) if place[2] else None
            self._dials[place] = None if wheel is None or not characters else Distribution.of(characters, wheel, close)
        return self._dials[place]

    def reading(self, key: str) -> Reading:
        """Read a key."""
        found = self._readings.get(key)
        if found is None:
            if len(self._readings) >= _MOST_READINGS:
                self._readings.clear()
            found = self._readings[key] = self._read(key)
        return found

    def _read(self, key: str) -> Reading:
        dials = [self.dial(place) for place in places_of(key, self.first)]
        behind, turns, shares = [0.0] * len(dials), [0.0] * len(dials), [1.0] * len(dials)
        inner = 0.0
        for depth in range(len(dials) - 1, -1, -1):
            dial = dials[depth]
            if dial is None:
                inner = 0.0
                continue
            character = key[self.first + depth]
            index = bisect_left(dial.characters, character)
            known = index < len(dial.characters) and dial.characters[index] == character
            shares[depth] = dial.shares[index] if known else 0.0
            turns[depth] = index + inner
            inner = behind[depth] = dial.before[index] + shares[depth] * inner
        return Reading(behind, turns, shares, dials)

    def _characters(self, place: Place, wheel: CharacterStats) -> list[str]:
        """Return a wheel's characters; one that has not turned a round yet may have more than were seen."""
        found = set(wheel.characters)
        if not wheel.rounds:
            if found <= _DIGITS:
                found |= _DIGITS
            elif any(map(str.isalpha, found)):
                found |= self._letters
            neighbour = self.wheels.get((place[0], place[1] + 1, ""))
            if neighbour is not None and found < neighbour.characters:
                found |= neighbour.characters
        return sorted(character for character in found - _NO_CHARACTERS if character >= _FIRST_PRINTABLE)

    def _wheel(self, place: Place) -> CharacterStats:
        """Return the wheel of a place; one that is forgotten at once when there are too many."""
        wheel = self.wheels.get(place)
        if wheel is None:
            wheel = CharacterStats()
            if len(self.wheels) < _MOST_WHEELS:
                self.wheels[place] = wheel
        return wheel

    def _pair(self, place: Place) -> tuple[CharacterStats, ...]:
        """Return the wheels of a character: whichever stands before it, and after the one that does."""
        general = self._wheel((place[0], place[1], ""))
        return (general, self._wheel(place)) if place[2] else (general,)

    def _sample(self, key: str) -> None:
        """Note the characters of a key, down to where it is alone; rounds that it is not in have ended."""
        apart = 0 if self._previous is None else common(self._previous, key, self.first) - self.first
        rounds, characters = self._rounds, key[self.first :]
        for ended in rounds[apart + 1 :]:
            ended.turn("", self._samples)
            for wheel in self._pair(ended.place):
                wheel.ended(ended.counts)
        del rounds[apart + 1 :]
        if len(rounds) > apart:
            self._turn(rounds[apart], characters[apart])
        for depth in range(len(rounds), min(len(characters), apart + _DEEPER)):
            place = following(rounds[-1].place, characters[depth - 1]) if rounds else FIRST
            rounds.append(OpenGroup(place))
            self._turn(rounds[-1], characters[depth])
        self._samples += 1
        self._previous = key

    def _turn(self, under: OpenGroup, character: str) -> None:
        """Continue to the next character of a round."""
        if character not in under.counts:
            for wheel in self._pair(under.place):
                wheel.characters.add(character)
            if character.isalpha():
                self._letters.add(character)
        under.turn(character, self._samples)
