"""
How the keys of a listing continue: how many keys are ahead of a place, and which key is at a given distance.

A name is read character by character. The characters at the same place of other names show which characters may follow;
the keys that a range has listed show how many keys each of these characters holds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from math import expm1
from typing import TYPE_CHECKING, NamedTuple

from processor.job.validation import MAX_KEY_BYTES
from processor.listing.ranges.character_odds import DIGITS, NOTHING, CharacterCounts, CharacterOdds
from processor.listing.ranges.covered import common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.listing.ranges.covered import Covered

# Folder level, offset into the name there, character before it.
Place = tuple[int, int, str]
_SAMPLES = 16  # keys of a page that the model reads
_FRESH = 16  # pages that are read before a guess; older ones are not, where nobody guesses: that costs time
_DEPTH = 16  # characters of a sample that the model reads, from its difference to the previous sample
_FEW = 0.2  # of a page: the model does not read a beginning that holds fewer keys
_FINE = 50  # keys: a guess is not spelled out further
_LONGEST = 16  # characters that a guess adds
_MOST_PLACES = 4096
_NONE = CharacterCounts()
_OTHERS = 0.3  # characters that what other ranges have passed counts for, where a range has passed none itself
_STALE = 1.2  # odds are computed once more when the steps have grown by this factor


class _Ahead(NamedTuple):
    """
    The keys ahead under one beginning of the last key, without those under a longer beginning.

    :param depth:  Characters of the beginning.
    :param below:  Number of characters expected up to and including the last key's own character.
    :param behind: Number of characters expected after it.
    :param more:   How likely there are any, in relation to what that number says.
    :param each:   Number of keys expected under each character.
    """

    depth: int
    below: float
    behind: float
    more: float
    each: float

    @property
    def keys(self) -> float:
        """Number of keys expected."""
        return self.more * self.behind * self.each


class KeyModel:
    """
    Learns from pages of keys.

    :param prefix:    All keys begin with it.
    :param page_size: Keys that a response may bring.
    """

    def __init__(self, prefix: str, page_size: int = 1000) -> None:
        self._start, self._few = len(prefix), int(_FEW * page_size)
        self._counts: dict[Place, CharacterCounts] = {}
        self._odds: dict[Place, CharacterOdds] = {}
        self._passed: dict[tuple[int, int], tuple[float, float]] = {}  # keys and characters, by the place of a name
        self._fresh: deque[tuple[str, str, list[str], bool]] = deque(maxlen=_FRESH)
        self._letters: dict[bool, str] = {}  # a small one, and another
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

    def _catch_up(self) -> None:
        """Read what was taken since the last guess."""
        while self._fresh:
            before, first, keys, listed = self._fresh.popleft()
            # The keys of a page may differ far down alone; before a page in the midst, all that they share is known.
            head = self._start if listed else common(first, keys[-1], self._start)
            if not listed:
                for end, character in enumerate(first[self._start : head + _DEPTH], self._start):
                    self._seen(_place(first[:end], self._start), character)
            for key in keys:
                self._step(before, key, listed=listed, head=head)
                before, listed = key, True

    def cut(self, covered: Covered, upto: str | None, under_way: int) -> tuple[float, str | None]:
        """
        Guess where a range is best divided: much on both sides.

        :param under_way: Keys that come without a further request.
        :return: Number of keys that are thought to be won by it, and the key.
        """
        self._catch_up()
        parts, best, found = self._ahead(covered, upto), 0.0, None
        total, above = sum(part.keys for part in parts) - under_way, 0.0
        for part in reversed(parts):
            upper = above + part.keys / 2
            if min(total - upper, upper) > best:
                best, found = min(total - upper, upper), part
            above += part.keys
        if found is None:
            return 0.0, None
        return best, self._spelled(covered.last, found, found.below + found.behind / 2)

    def as_far_again(self, covered: Covered, upto: str | None, start: str, times: float) -> str | None:
        """
        Guess a key that is as far ahead as the listing has come already.

        :param start: The listing's first key.
        :param times: Multiple of that distance.
        """
        self._catch_up()
        depth, best, found = common(start, covered.last, self._start), 0.0, None
        for part in self._ahead(covered, upto, least=0):
            if part.depth > depth or part.behind <= 0:
                continue
            odds = self._odds_at(_place(covered.last[: part.depth], self._start), covered.last[part.depth])
            came = part.below - (_below(odds, start, part.depth) if part.depth == depth else part.below - 1)
            ratio = part.behind / max(came, 1e-9)
            if ratio > best:
                ahead = min(times * came, part.behind / 2)
                best, found = ratio, self._spelled(covered.last, part, part.below + ahead)
            if ratio > times:
                break
        return found

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
            counts = self._seen(_place(key[:apart], self._start), key[apart])
            if counts is not None:
                counts.step(before[apart], key[apart])
        self._tail(key, begins, end, ends=False)

    def _tail(self, key: str, start: int, end: int, *, ends: bool) -> None:
        """
        Note some characters of a key, each of a beginning of its own: the loop that learning takes its time in.

        :param ends: The key is its beginnings' last, or else their first.
        """
        level, offset, previous = _place(key[:start], self._start)
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

    def _odds_at(self, place: Place, shown: str = "") -> CharacterOdds:
        """
        Return what may come at a place of a name.

        :param shown: A character that came there.
        """
        counts = self._counts.get(place, _NONE)
        odds = self._odds.get(place)
        if odds is None or counts.steps > _STALE * odds.steps:
            seen = counts.seen or {*shown}
            odds = counts.odds(seen.union(*(self._kin.get(each, ()) for each in seen))) if seen else NOTHING
            if counts.seen:
                self._odds[place] = odds
        return odds

    def _ahead(self, covered: Covered, upto: str | None, least: int | None = None) -> list[_Ahead]:
        """Return the keys ahead under each beginning of the last key, the longest beginning first."""
        last, parts, whole = covered.last, list[_Ahead](), 1.0
        least = self._few if least is None else least
        shortest = self._start if upto is None else common(last, upto, self._start)
        apart = common(covered.first, last, self._start)
        for depth in range(len(last) - 1, shortest - 1, -1):
            under = covered.under(depth)
            if under < least and depth > shortest:
                whole = max(float(under), 1.0)
                continue
            place = _place(last[:depth], self._start)
            odds = self._odds_at(place, last[depth])
            at, behind = _below(odds, last, depth), bisect_right(odds.characters, last[depth])
            came = at - (0.0 if depth > apart else at if depth < apart else _below(odds, covered.first, depth))
            before = under - covered.under(depth + 1)
            each = self._each(covered, place[:2], before, came, whole)
            full = odds.below[-1] - odds.below[behind]
            chance = self._counts.get(place, _NONE).more(last[depth], odds.further * (len(odds.characters) - behind))
            more = chance / -expm1(-full) if full else 0.0
            whole += before + full * each * more * chance
            end = odds.below[-1] if upto is None or depth > shortest else self._below_end(odds, upto, depth, behind)
            parts.append(_Ahead(depth, odds.below[behind], max(0.0, end - odds.below[behind]), more, each))
        return parts

    def _each(self, covered: Covered, place: tuple[int, int], before: int, came: float, whole: float) -> float:
        """
        Return how many keys are thought to be under a character that comes at a place.

        The name that a range is in tells little of those behind it: one is the more likely in a name the larger it is.

        :param before: Keys under the characters that the range has passed there.
        :param came:   How many characters these are thought to be.
        :param whole:  Keys that are thought to be under the present one.
        """
        keys, passed = self._passed.get(place, (0.0, 0.0))
        if before and came > 0:
            told, earlier = covered.passed.get(place, (0.0, 0.0))
            keys, passed = keys + before - told, passed + came - earlier
            self._passed[place], covered.passed[place] = (keys, passed), (before, came)
        if before and came >= 1:
            return before / came
        if passed < 1:
            return (before + whole) / (came + 1)
        return (before + _OTHERS * keys / passed) / (came + _OTHERS)

    def _below_end(self, odds: CharacterOdds, upto: str, depth: int, behind: int) -> float:
        """Count the characters expected up to where a range ends."""
        if depth >= len(upto):
            return odds.below[behind]
        index = bisect_left(odds.characters, upto[depth])
        if index == len(odds.characters) or odds.characters[index] != upto[depth]:
            return odds.below[index]
        return odds.below[index] + odds.odds[index] * self._share(upto, depth + 1)

    def _share(self, key: str, depth: int) -> float:
        """Return the share of the names under a beginning of a key that lie before the key."""
        share = 0.0
        for end in range(len(key) - 1, depth - 1, -1):
            odds = self._odds_at(_place(key[:end], self._start), key[end])
            index = bisect_left(odds.characters, key[end])
            here = index < len(odds.characters) and odds.characters[index] == key[end]
            share = (odds.below[index] + (odds.odds[index] * share if here else 0.0)) / (odds.below[-1] or 1.0)
        return share

    def _spelled(self, last: str, part: _Ahead, at: float) -> str:
        """Write out a place under a beginning, given by the number of characters before it, as finely as is useful."""
        head, keys, shown = last[: part.depth], part.each, last[part.depth]
        for _ in range(_LONGEST):
            odds = self._odds_at(_place(head, self._start), shown)
            index = min(bisect_right(odds.below, at), len(odds.characters)) - 1
            if index < 0:
                break
            share = min(max((at - odds.below[index]) / odds.odds[index], 0.0), 1.0)
            head, shown = head + odds.characters[index], ""
            if share * keys < _FINE:
                break
            expected = self._odds_at(_place(head, self._start)).below[-1]
            at, keys = share * expected, keys / (expected or 1.0)
        return head.encode()[:MAX_KEY_BYTES].decode(errors="ignore")


def _place(head: str, start: int) -> Place:
    """Return the place after a beginning."""
    offset = len(head) - max(head.rfind("/") + 1, start)
    return head.count("/", start), offset, head[-1] if len(head) > start else ""


def _below(odds: CharacterOdds, key: str, depth: int) -> float:
    """Return how many characters are to be expected before a key's own."""
    return odds.below[bisect_left(odds.characters, key[depth : depth + 1])]
