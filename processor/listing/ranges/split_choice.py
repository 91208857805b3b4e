"""
Which range is split, and at which key: pure guesses, each of which costs a request when it is wrong, never a key.

They come from the map of an earlier run where there is one, else from a model of the keys that were listed.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from processor.listing.ranges.key_model import KeyModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.listing.ranges.key_map import KeyMap
    from processor.listing.ranges.open_range import OpenRange

_WORTH = 1.5  # pages: a range with fewer pages left, by the estimate, is not split
_WORTH_LOSING = 4.0  # pages: a range with fewer left, by the map, is not split where that costs a request
_AGAIN = 2.0  # the listing's end is looked for at up to this multiple of the distance that it has come
_HALF = 4.0  # keys that are left of a range, for each that a split of it wins: half a page won is worth a request
_DOUBT = 4.0  # each range found empty there brings the estimate of the listing's end nearer by this factor
_SPARE, _SHARE = 3.0, 0.48  # pages that may be lost: a number, and a share of the pages that were won
_WAITING = 16  # readers, for each request under way: with more of them waiting, a guess is always worth a request
_TRUSTED = 2.0  # the keys that are expected ahead count as won, up to this multiple of the pages that were won
_CONTINUES = 2.0  # a long range is expected to have this multiple of what it brought: few folders have most of the keys
# A range is long that has brought 20 pages, and twice a reader's share of all; idle readers lower the bound.
_LONG, _LONG_SHARE = 20.0, 2.0


class SplitChoice:
    """
    Chooses the next split, and accounts for what earlier ones have won and lost.

    :param prefix:    All keys begin with it.
    :param page_size: Keys that a response may bring.
    :param first:     The first range of the run.
    """

    def __init__(self, prefix: str, page_size: int, first: OpenRange) -> None:
        self._prefix, self._page = prefix, page_size
        self._map: KeyMap | None = None
        self._model = KeyModel(prefix, page_size)
        self._first: str | None = None  # key of the listing
        self._last = first  # the last range in which there are keys
        self._doubts = 0
        self._won = self._lost = self._unproven = 0.0  # pages

    def use(self, key_map: KeyMap) -> None:
        """Choose by a map of these keys from now on."""
        self._map = key_map.under(self._prefix)

    def sent(self, each: OpenRange) -> None:
        """Note that a request of a range is under way."""
        self._unproven += each.guessed

    def landed(self, each: OpenRange) -> None:
        """Note that a request of a range is over."""
        self._unproven -= each.guessed

    def count(self, kept: int) -> None:
        """
        Count the answer to a request.

        :param kept: Keys of it that the listing takes; 0 for a request that failed.
        """
        self._won += kept / self._page
        self._lost += 1 - kept / self._page

    def learn(self, found: OpenRange, keys: Sequence[str]) -> None:
        """Learn from the next keys of a range, before the range takes them."""
        self._model.learn(found.at, keys, listed=found.covered.count > 0)
        if self._first is None:
            self._first = keys[0]
        if found.after >= self._last.after and found is not self._last:
            self._last, self._doubts = found, 0

    def learn_beyond(self, found: OpenRange, key: str) -> None:
        """Learn from the first key after the end of a range, which the range's last page has shown."""
        self._model.learn(found.at, [key], listed=found.covered.count > 0)

    def thought(self, each: OpenRange, long: float = inf) -> float:
        """
        Estimate how many keys are left of a range.

        :param long: Keys that a range has brought if it is a long one.
        """
        mapped = self._mapped(each)
        if mapped is not None:
            return mapped
        if not each.covered.count:
            return 0.0
        if each.estimate is None:
            gain, each.key = self._model.cut(each.covered, each.until, self._page // 2 * each.flying)
            each.estimate = _HALF * gain
        if each is self._last:  # its end is unknown: it is thought to continue as far again, less after wrong guesses
            again = (_AGAIN * self._won + 1) * self._page
            return min(again, max(each.estimate, again / _DOUBT**self._doubts))
        brought = max(each.since, each.line)
        return max(each.estimate, _CONTINUES * brought if brought >= long else 0.0)

    def choose(
        self, ranges: Sequence[OpenRange], flying: int, readers: int, *, far: bool = False
    ) -> tuple[OpenRange, str] | None:
        """
        Choose the range with the most keys ahead, if its split is worth a request.

        :param ranges:  The ranges that are not listed to their ends.
        :param flying:  Requests under way.
        :param readers: Requests under way at most.
        :param far:     First the range whose end is unknown.
        :return: The range, and the key after which its upper part begins.
        """
        long = max(_LONG, _LONG_SHARE * self._won / readers) * self._page * (flying / readers) ** 2
        thought = {each.number: self.thought(each, long) for each in ranges}
        for each in sorted(ranges, key=lambda each: (far and each is self._last, thought[each.number]), reverse=True):
            may_lose = self._affordable(each, ranges) or self._idles(each, flying, readers)
            if thought[each.number] < _WORTH * self._page or not may_lose:
                return None
            key = self._split_key(each, thought[each.number], sum(thought.values()) / readers)
            if key is not None and each.at < key and (each.until is None or key < each.until):
                self._doubts += each is self._last
                return each, key
            each.estimate = 0.0
        return None

    def _affordable(self, each: OpenRange, ranges: Sequence[OpenRange]) -> bool:
        """Return whether a guess may be lost; the map's guesses count as right until enough of them were wrong."""
        unproven = self._unproven if self._mapped(each) is None else 0.0
        ahead = sum(other.estimate or 0.0 for other in ranges if other is not self._last) / self._page
        return self._lost + unproven <= _SPARE + _SHARE * (self._won + min(ahead, _TRUSTED * self._won))

    def _idles(self, each: OpenRange, flying: int, readers: int) -> bool:
        """Return whether nearly all readers wait for a range: then one guess at a time costs less than the waiting."""
        return each is not self._last and not self._unproven and flying <= readers // _WAITING

    def _mapped(self, each: OpenRange) -> int | None:
        """Count the keys that the map knows ahead of a range; ``None`` beyond its end, or where it has been wrong."""
        if self._map is None or not self._map.keys or each.at >= self._map.keys[-1]:
            return None
        left = max(0, self._map.rank(each.until) - _rank(self._map, each))
        if each.promised is None:
            each.promised = left
        wrong = each.since > each.promised + _WORTH * self._page
        return None if wrong else left

    def _split_key(self, each: OpenRange, thought: float, share: float) -> str | None:
        """
        Choose where the upper part of a range begins.

        :param thought: Keys that are expected to be left of it.
        :param share:   Keys that are left for each reader.
        """
        if self._map is not None and (mapped := self._mapped(each)) is not None:
            return self._key_of_map(self._map, each, mapped, share)
        if each is self._last and self._first is not None:
            again = self._model.as_far_again(each.covered, each.until, self._first, _AGAIN)
            return again or each.key
        if each.estimate is not None and each.estimate < thought:
            first = each.origin if each.line > each.since else each.covered.first
            return self._model.as_far_again(each.covered, each.until, first, 1.0) or each.key
        return each.key

    def _key_of_map(self, key_map: KeyMap, each: OpenRange, mapped: int, share: float) -> str | None:
        """
        Choose a key of the map; ``None`` where the two parts would need a page more than the whole.

        :param mapped: Keys that the map knows ahead of the range.
        """
        # A reader's share is cut from the beginning: the part above has the keys that make no whole page.
        pages = min(-(-mapped // self._page) // 2, round(share / self._page) or 1)
        rank = _rank(key_map, each)
        key = key_map.key_at(rank + pages * self._page)
        if key is None or mapped >= _WORTH_LOSING * self._page:
            return key
        lower = key_map.rank(key) - rank
        in_vain = -(-lower // self._page) - (-(mapped - lower) // self._page) + (-mapped // self._page)
        return None if in_vain else key


def _rank(key_map: KeyMap, each: OpenRange) -> int:
    """Return how many keys there were up to the place of a range; it began at a key of the map, as a rule."""
    return key_map.rank(each.at, key_map.rank(each.after) + each.covered.count)
