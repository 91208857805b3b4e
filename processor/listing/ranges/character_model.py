"""
Which characters may come at each place of a name: learned from pages of keys.

A name is read character by character. The characters at the same place of other names show which characters may follow.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from processor.listing.ranges.character_odds import DIGITS, NOTHING, CharacterCounts, CharacterOdds
from processor.listing.ranges.covered import common

if TYPE_CHECKING:
    from collections.abc import Sequence

# Folder level, offset into the name there, character before it.
Place = tuple[int, int, str]
_SAMPLES = 16  # keys of a page that the model reads
_FRESH = 16  # pages that are read before a guess; older ones are dropped, since reading them without a guess costs time
_DEPTH = 16  # characters of a sample that the model reads, from its difference to the previous sample
_MOST_PLACES = 4096
_NONE = CharacterCounts()
_STALE = 1.2  # odds are computed once more when the steps have grown by this factor


class CharacterModel:
    """
    Learns from pages of keys.

    :param start: Characters that begin every key of the listing.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._counts: dict[Place, CharacterCounts] = {}
        self._odds: dict[Place, CharacterOdds] = {}
        self._fresh: deque[tuple[str, str, list[str], bool]] = deque(maxlen=_FRESH)
        self._letters: dict[bool, str] = {}  # the first lower-case letter, and the first other one
        digits = set(DIGITS)
        self._kin = dict.fromkeys(DIGITS, digits)  # characters that came at the same place of a name

    def learn(self, before: str, keys: Sequence[str], *, listed: bool) -> None:
        """
        Take keys that follow a place without a gap; they are read before the next guess.

        :param listed: Whether ``before`` is a key itself.
        """
        samples = min(len(keys), _SAMPLES)
        some = [keys[(2 * number + 1) * len(keys) // (2 * samples)] for number in range(samples)]
        self._fresh.append((before, keys[0], some, listed))

    def catch_up(self) -> None:
        """Read what was taken since the last guess."""
        while self._fresh:
            before, first, keys, listed = self._fresh.popleft()
            # The keys of a page may differ only far down; what they share is known where the page follows another.
            head = self._start if listed else common(first, keys[-1], self._start)
            if not listed:
                for end, character in enumerate(first[self._start : head + _DEPTH], self._start):
                    self._seen(self.place(first[:end]), character)
            for key in keys:
                self._step(before, key, listed=listed, head=head)
                before, listed = key, True

    def place(self, head: str) -> Place:
        """Return the place after a beginning of a key."""
        offset = len(head) - max(head.rfind("/") + 1, self._start)
        return head.count("/", self._start), offset, head[-1] if len(head) > self._start else ""

    def counts_at(self, place: Place) -> CharacterCounts:
        """Return what was counted at a place."""
        return self._counts.get(place, _NONE)

    def odds_at(self, place: Place, shown: str = "") -> CharacterOdds:
        """
        Return what may come at a place of a name.

        :param shown: A character that came there.
        """
        counts = self.counts_at(place)
        odds = self._odds.get(place)
        if odds is None or counts.steps > _STALE * odds.steps:
            seen = counts.seen or {*shown}
            odds = counts.odds(seen.union(*(self._kin.get(each, ()) for each in seen))) if seen else NOTHING
            if counts.seen:
                self._odds[place] = odds
        return odds

    def _step(self, before: str, key: str, *, listed: bool, head: int) -> None:
        """
        Note how names continue from one key to a later one.

        :param head: Characters that the keys of the page share, where the model does not know them yet.
        """
        apart = common(before, key, self._start)
        if listed:
            self._tail(before, apart + 1, apart + 1 + _DEPTH, ends=True)
        begins, end = apart, max(apart, head) + _DEPTH
        if apart < min(len(before), len(key)):
            begins += 1
            counts = self._seen(self.place(key[:apart]), key[apart])
            if counts is not None:
                counts.step(before[apart], key[apart])
        self._tail(key, begins, end, ends=False)

    def _tail(self, key: str, start: int, end: int, *, ends: bool) -> None:
        """
        Note some characters of a key, each of a beginning of its own. Most of the time of learning goes into this loop.

        :param ends: Whether the key is the last of its beginnings, or else their first.
        """
        level, offset, previous = self.place(key[:start])
        counts_at = self._counts.get
        for character in key[start:end]:
            place = level, offset, previous
            counts = counts_at(place)
            if counts is None or character not in counts.seen:
                counts = self._seen(place, "" if ends else character)
            if counts is not None:
                counts.steps += 1
                if ends:
                    counts.seen.add(character)
                    counts.left[character] += 1
                    counts.ended[character] += 1
                else:
                    counts.first[character] += 1
            if character == "/":
                level, offset, previous = level + 1, 0, "/"
            else:
                offset, previous = offset + 1, character

    def _seen(self, place: Place, character: str) -> CharacterCounts | None:
        """Note that a character may come at a place; return the counts there."""
        counts = self._counts.get(place)
        if counts is None and len(self._counts) < _MOST_PLACES:
            counts = self._counts[place] = CharacterCounts()
        if counts is not None and character and character not in counts.seen:
            self._relate(character, min(counts.seen, default=character))
            if character.isalpha():
                self._relate(character, self._letters.setdefault(character.islower(), character))
            counts.seen.add(character)
            self._odds.pop(place, None)
        return counts

    def _relate(self, one: str, other: str) -> None:
        """Note that two characters came at the same place."""
        ours, theirs = self._kin.setdefault(one, {one}), self._kin.setdefault(other, {other})
        if ours is not theirs:
            ours |= theirs
            self._kin.update(dict.fromkeys(theirs, ours))
            self._odds.clear()
