"""
How the keys of a listing continue: how many keys are ahead of a place, and which key is at a given distance.

The model of the characters says which characters may follow; the keys that a range has listed show how many keys each
of them holds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import expm1
from typing import TYPE_CHECKING, NamedTuple

from processor.job.s3_names import MAX_KEY_BYTES
from processor.listing.ranges.character_model import CharacterModel
from processor.listing.ranges.covered import common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.listing.ranges.character_odds import CharacterOdds
    from processor.listing.ranges.covered import Covered

_FEW = 0.2  # of a page: the model does not read a beginning that holds fewer keys
_FINE = 50  # keys: a guess is not spelled out further
_LONGEST = 16  # characters that a guess adds
_OTHERS = 0.3  # weight, in characters, of what other ranges have passed: it decides where a range has passed none


class _Ahead(NamedTuple):
    """
    The keys ahead under one beginning of the last key, without those under a longer beginning.

    :param depth:  Characters of the beginning.
    :param below:  Number of characters expected up to and including the last key's own character.
    :param left:   Number of characters expected after it.
    :param more:   How likely there are any, in relation to what that number says.
    :param each:   Number of keys expected under each character.
    """

    depth: int
    below: float
    left: float
    more: float
    each: float

    @property
    def keys(self) -> float:
        """Number of keys expected."""
        return self.more * self.left * self.each


class KeyModel:
    """
    Says where a range is best divided, from the keys that were listed.

    :param prefix:    All keys begin with it.
    :param page_size: Keys that a response may bring.
    """

    def __init__(self, prefix: str, page_size: int = 1000) -> None:
        self._start, self._few = len(prefix), int(_FEW * page_size)
        self._characters = CharacterModel(self._start)
        self._passed: dict[tuple[int, int], tuple[float, float]] = {}  # keys and characters, by the place of a name

    def learn(self, before: str, keys: Sequence[str], *, listed: bool) -> None:
        """
        Take keys that follow a place without a gap; they are read before the next guess.

        :param listed: Whether ``before`` is a key itself.
        """
        self._characters.learn(before, keys, listed=listed)

    def cut(self, covered: Covered, upto: str | None, under_way: int) -> tuple[float, str | None]:
        """
        Guess where a range is best divided: with many keys on both sides.

        :param under_way: Keys that come without a further request.
        :return: Number of keys that the split is thought to win, and the key.
        """
        self._characters.catch_up()
        parts, best, found = self._ahead(covered, upto), 0.0, None
        total, above = sum(part.keys for part in parts) - under_way, 0.0
        for part in reversed(parts):
            upper = above + part.keys / 2
            if min(total - upper, upper) > best:
                best, found = min(total - upper, upper), part
            above += part.keys
        if found is None:
            return 0.0, None
        return best, self._spelled(covered.last, found, found.below + found.left / 2)

    def as_far_again(self, covered: Covered, upto: str | None, start: str, times: float) -> str | None:
        """
        Guess a key that is as far ahead as the listing has come already.

        :param start: The listing's first key.
        :param times: Multiple of that distance.
        """
        self._characters.catch_up()
        depth, best, found = common(start, covered.last, self._start), 0.0, None
        for part in self._ahead(covered, upto, least=0):
            if part.depth > depth or part.left <= 0:
                continue
            place = self._characters.place(covered.last[: part.depth])
            odds = self._characters.odds_at(place, covered.last[part.depth])
            came = part.below - (_below(odds, start, part.depth) if part.depth == depth else part.below - 1)
            ratio = part.left / max(came, 1e-9)
            if ratio > best:
                ahead = min(times * came, part.left / 2)
                best, found = ratio, self._spelled(covered.last, part, part.below + ahead)
            if ratio > times:
                break
        return found

    def _ahead(self, covered: Covered, upto: str | None, least: int | None = None) -> list[_Ahead]:
        """Return the keys ahead under each beginning of the last key, the longest beginning first."""
        last, parts, whole, characters = covered.last, list[_Ahead](), 1.0, self._characters
        least = self._few if least is None else least
        shortest = self._start if upto is None else common(last, upto, self._start)
        apart = common(covered.first, last, self._start)
        for depth in range(len(last) - 1, shortest - 1, -1):
            under = covered.under(depth)
            if under < least and depth > shortest:
                whole = max(float(under), 1.0)
                continue
            place = characters.place(last[:depth])
            odds = characters.odds_at(place, last[depth])
            at, after = _below(odds, last, depth), bisect_right(odds.characters, last[depth])
            came = at - (0.0 if depth > apart else at if depth < apart else _below(odds, covered.first, depth))
            before = under - covered.under(depth + 1)
            each = self._each(covered, place[:2], before, came, whole)
            full = odds.below[-1] - odds.below[after]
            chance = characters.counts_at(place).more(last[depth], odds.further * (len(odds.characters) - after))
            more = chance / -expm1(-full) if full else 0.0
            whole += before + full * each * more * chance
            end = odds.below[-1] if upto is None or depth > shortest else self._below_end(odds, upto, depth, after)
            parts.append(_Ahead(depth, odds.below[after], max(0.0, end - odds.below[after]), more, each))
        return parts

    def _each(self, covered: Covered, place: tuple[int, int], before: int, came: float, whole: float) -> float:
        """
        Return how many keys are thought to be under a character that comes at a place.

        The name that a range is in says little of the names after it: the larger a name is, the more likely a range is
        in it.

        :param before: Keys under the characters that the range has passed there.
        :param came:   How many characters these are thought to be.
        :param whole:  Keys that are thought to be under the present one.
        """
        keys, passed = self._passed.get(place, (0.0, 0.0))
        if before and came > 0:
            earlier_keys, earlier_passed = covered.passed.get(place, (0.0, 0.0))
            keys, passed = keys + before - earlier_keys, passed + came - earlier_passed
            self._passed[place], covered.passed[place] = (keys, passed), (before, came)
        if before and came >= 1:
            return before / came
        if passed < 1:
            return (before + whole) / (came + 1)
        return (before + _OTHERS * keys / passed) / (came + _OTHERS)

    def _below_end(self, odds: CharacterOdds, upto: str, depth: int, after: int) -> float:
        """Count the characters expected up to where a range ends."""
        if depth >= len(upto):
            return odds.below[after]
        index = bisect_left(odds.characters, upto[depth])
        if index == len(odds.characters) or odds.characters[index] != upto[depth]:
            return odds.below[index]
        return odds.below[index] + odds.odds[index] * self._share(upto, depth + 1)

    def _share(self, key: str, depth: int) -> float:
        """Return the share of the names under a beginning of a key that come before the key."""
        share, characters = 0.0, self._characters
        for end in range(len(key) - 1, depth - 1, -1):
            odds = characters.odds_at(characters.place(key[:end]), key[end])
            index = bisect_left(odds.characters, key[end])
            here = index < len(odds.characters) and odds.characters[index] == key[end]
            share = (odds.below[index] + (odds.odds[index] * share if here else 0.0)) / (odds.below[-1] or 1.0)
        return share

    def _spelled(self, last: str, part: _Ahead, at: float) -> str:
        """Write out a place under a beginning, given by the number of characters before it, as finely as is useful."""
        head, keys, shown, characters = last[: part.depth], part.each, last[part.depth], self._characters
        for _ in range(_LONGEST):
            odds = characters.odds_at(characters.place(head), shown)
            index = min(bisect_right(odds.below, at), len(odds.characters)) - 1
            if index < 0:
                break
            share = min(max((at - odds.below[index]) / odds.odds[index], 0.0), 1.0)
            head, shown = head + odds.characters[index], ""
            if share * keys < _FINE:
                break
            expected = characters.odds_at(characters.place(head)).below[-1]
            at, keys = share * expected, keys / (expected or 1.0)
        return head.encode()[:MAX_KEY_BYTES].decode(errors="ignore")


def _below(odds: CharacterOdds, key: str, depth: int) -> float:
    """Return how many characters are to be expected before a key's own."""
    return odds.below[bisect_left(odds.characters, key[depth : depth + 1])]
