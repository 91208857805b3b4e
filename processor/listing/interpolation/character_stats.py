"""
One wheel of the odometer as which a key is read: a place in the keys, and what has been seen there.

Names of one kind share their places: a folder level, an offset into the name there, and the character before.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Folder level, offset into the name there, character before it ("": whichever).
Place = tuple[int, int, str]
FIRST: Place = (0, 0, "")
_ENOUGH = 6  # samples of a round; fewer say little of the shares
_SURE = 4  # samples for each character that has been seen: then there are no others
_SIGMAS = 3  # shares that differ by less may differ by chance
_SPREAD = 0.1  # variance of the shares, until there are rounds enough to tell
_FEW = 3  # rounds from here on tell how many characters one has
_SPARSE = 1.3


class CharacterStats:
    """
    One place: its characters, and how a beginning's keys are shared out among them.

    A round of the wheel is all that lies under one beginning. ``characters`` are those seen there, ``settled`` those of
    the ``rounds`` that have ended; ``gap`` says how many characters lie between two that one beginning has.
    """

    __slots__ = ("_kinds", "_sampled", "_shares", "_squares", "_whole", "characters", "rounds", "settled")

    def __init__(self) -> None:
        self.characters: set[str] = set()
        self.settled: set[str] = set()
        self.rounds = self._sampled = self._whole = self._kinds = 0
        self._shares: dict[str, float] = {}
        self._squares: dict[str, float] = {}

    def ended(self, counts: Mapping[str, int]) -> None:
        """Note the end of a round: so many samples had each character."""
        total = sum(counts.values())
        self.rounds += 1
        self._sampled += total
        self.settled.update(counts)
        if total < _ENOUGH:
            return
        self._whole += 1
        self._kinds += len(counts)
        for character, count in counts.items():
            share = count / total
            self._shares[character] = self._shares.get(character, 0.0) + share
            self._squares[character] = self._squares.get(character, 0.0) + share * share

    def gap(self, size: int) -> float:
        """Return among how many of ``size`` characters there is one; 0 where there is nearly every one."""
        gap = size * self._whole / self._kinds if self._whole >= _FEW else 0.0
        return gap if gap > _SPARSE else 0.0

    def corrected(self, characters: Sequence[str], thought: Sequence[float]) -> list[float]:
        """Correct what is thought of the shares by what was seen, where chance alone does not explain it."""
        known = self.rounds > 1 and self._sampled >= _SURE * (len(self.settled) + 1)
        shares = []
        for character, share in zip(characters, thought, strict=True):
            if known and character not in self.settled:
                shares.append(share / (self._sampled + 1))
            else:
                shares.append(self._seen(character, share) if self._whole else share)
        return shares

    def _seen(self, character: str, share: float) -> float:
        mean = self._shares.get(character, 0.0) / self._whole
        variance = max(0.0, self._squares.get(character, 0.0) / self._whole - mean * mean) + _SPREAD / self._whole
        if abs(mean - share) <= _SIGMAS * (variance / self._whole) ** 0.5:
            return share
        return (mean * self._whole + share) / (self._whole + 1)


class OpenGroup:
    """
    A round that has not ended: all that lies under one beginning.

    ``counts`` are the samples of its characters; the one that it shows now is counted when it turns on.
    """

    __slots__ = ("_character", "_since", "counts", "place")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.counts: dict[str, int] = {}
        self._character, self._since = "", 0

    def turn(self, character: str, samples: int) -> None:
        """
        Continue to a character.

        :param character: ``""`` at the end of the round.
        :param samples:   How many there were, of this round and all others, before.
        """
        if self._character:
            self.counts[self._character] += samples - self._since
        if character:
            self.counts.setdefault(character, 0)
        self._character, self._since = character, samples


class Distribution:
    """
    What a wheel shows: ``characters`` in order, their ``shares`` of the keys, and the shares of those ``before`` each.

    :param gap: Among how many characters there is one; 0 where there is nearly every one.
    """

    __slots__ = ("before", "characters", "gap", "shares")

    def __init__(self, characters: list[str], shares: Sequence[float], gap: float) -> None:
        total = sum(shares)
        self.characters, self.gap = characters, gap
        self.shares = [share / total for share in shares]
        self.before = [0.0, *accumulate(self.shares)]

    @classmethod
    def of(cls, characters: list[str], wheel: CharacterStats, close: CharacterStats | None) -> Distribution:
        """
        Tell the shares of some characters.

        :param wheel: Of the place, whichever the character before.
        :param close: Of the place after that very character.
        """
        shares = wheel.corrected(characters, [1 / len(characters)] * len(characters))
        if close is not None:
            shares = close.corrected(characters, shares)
        return cls(characters, shares, wheel.gap(len(characters)))


def places_of(key: str, first: int) -> list[Place]:
    """Return the place of each character after the prefix."""
    places, place = list[Place](), FIRST
    for character in key[first:]:
        places.append(place)
        place = following(place, character)
    return places


def following(place: Place, character: str) -> Place:
    """Return the place after a character at another."""
    return (place[0] + 1, 0, "") if character == "/" else (place[0], place[1] + 1, character)


def common(one: str, other: str, first: int) -> int:
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
