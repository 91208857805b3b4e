"""
Where the next list request starts: pure, without I/O.

The ranges partition the key space, and each has at most one request under way, from its own place. A reader that has
nothing to do splits the range with the most keys ahead. Only pages say which keys a range has, so a wrong guess costs a
request, never a key.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from processor.listing.ranges.key_model import KeyModel
from processor.listing.ranges.open_range import OpenRange, just_before
from processor.listing.ranges.trial import ContradictionError, Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.job import KeyRange
    from processor.listing.ranges.key_map import KeyMap

_WORTH = 1.5  # pages: a range with fewer pages left, by the estimate, is not split
_WORTH_LOSING = 4.0  # pages: a range with fewer left, by the map, is not split where that costs a request
_AGAIN = 2.0  # the listing's end is looked for at up to this multiple of the distance that it has come
_HALF = 4.0  # keys that are left of a range, for each that a split of it wins: half a page won is worth a request
_DOUBT = 4.0  # each range found empty there brings the estimate of the listing's end nearer by this factor
_SPARE, _SHARE = 3.0, 0.48  # pages that may be lost: a number, and a share of the pages that were won
_TRUSTED = 2.0  # what is thought to be ahead counts as won, up to this multiple of what was
_CONTINUES = 2.0  # a long range is thought to have this multiple of what it brought: few folders have most of the keys
# Long is what has brought 20 pages, and twice a reader's share of all that came; while readers are idle, less is long.
_LONG, _LONG_SHARE = 20.0, 2.0


class Request(NamedTuple):
    """A list request: its range, and the key that it starts after."""

    number: int
    after: str


class RangePlanner:
    """
    The ranges of a run, and the choice of the next request.

    :param prefix:    All keys begin with it.
    :param ranges:    In key order; together the run's key space.
    :param page_size: Keys that a response may bring.
    :param end_at:    Last key that matters.
    """

    def __init__(
        self,
        prefix: str,
        ranges: Sequence[KeyRange],
        page_size: int,
        *,
        end_at: str | None = None,
    ) -> None:
        self._page = page_size
        self._prefix = prefix
        self._map: KeyMap | None = None
        self.ranges = [OpenRange.of(found, len(prefix), end_at) for found in ranges]
        self.open = [each for each in self.ranges if not each.listed]  # not listed to their ends
        self._by_number = {each.number: each for each in self.ranges}
        self._model = KeyModel(prefix, page_size)
        self._first: str | None = None  # key of the listing
        self._last = self.ranges[0]  # the last one in which there are keys
        self._number = max(each.number for each in ranges)
        self._flying = self._doubts = 0
        self._won = self._lost = self._unproven = 0.0  # pages
        self._trial = Trial(passed=len(ranges) > 1 and all(each.cursor is None for each in ranges))

    def use(self, key_map: KeyMap) -> None:
        """Split ranges by a map of these keys from now on."""
        self._map = key_map.under(self._prefix)

    def next_request(self, limit: int, *, split: bool = True) -> Request | None:
        """
        Choose the next request, and count it as under way.

        :param limit: Requests under way at most.
        :param split: Whether a range may be split for it.
        :return: ``None`` when no request is useful now.
        """
        if self._flying >= limit:
            return None
        idle = next((each for each in self.open if not each.flying), None)
        if idle is None and split and self._trial.passed:
            idle = self._split(limit)
        return None if idle is None else self._request(idle)

    def next_guess(self) -> Request | None:
        """Choose a request that shows much of the keys, as ``next_request`` does one that lists them."""
        far = self._split(far=True) if self._trial.passed else None
        if far is None and (idle := [each for each in self.open if not each.flying]):
            far = max(idle, key=self._thought)
        return None if far is None else self._request(far)

    def arrived(self, number: int, keys: Sequence[str], *, truncated: bool) -> tuple[Sequence[str], bool]:
        """
        Take a response; a range without keys joins the range before it, where that is not listed to its end.

        :return: The range's next keys, and whether it ends with them.
        :raises ContradictionError: The server did not start where it was asked to, or has no key to continue from.
        """
        found = self._landed(number)
        keys = self._trial.checked(found.at, keys, truncated=truncated)
        kept = keys if found.upto is None else keys[: bisect_right(keys, found.upto)]
        self._won += len(kept) / self._page
        self._lost += 1 - len(kept) / self._page
        if not found.is_begun and self._begins_elsewhere(found, keys, kept):
            return (), False
        found.listed = not truncated or len(kept) < len(keys) or (bool(kept) and kept[-1] in {found.upto, found.bound})
        if kept:
            self._learn(found, kept)
        if len(kept) < len(keys):
            found.beyond = keys[len(kept)]
            if not found.guessed:
                self._model.learn(found.at, [found.beyond], listed=found.covered.count > 0)
        if found.listed:
            self.open.remove(found)
        found.guessed = False
        return kept, found.listed

    def failed(self, number: int) -> bool:
        """
        Note that a request brought no answer.

        :return: Whether the request started at a guess; a range that begins there joins the range before it again.
        """
        found = self._landed(number)
        self._lost += 1
        return (found.guessed and self._joined(found)) or self._trial.under_way

    def rejoined(self) -> list[OpenRange]:
        """Give up every guess and every request; return the ranges that are left to list, in key order."""
        for each in list(self.open):
            if each.is_begun or not self._joined(each):
                each.flying = False
                before = None if each.is_begun else self._before(each)
                if before is not None:
                    each.begin_behind(before)
        self._flying = 0
        return list(self.open)

    def at(self, number: int) -> str:
        """Return the last key of a range that was listed; an empty text for one that has joined another."""
        found = self._by_number.get(number)
        return "" if found is None else found.at

    def end(self, number: int) -> str | None:
        """Return where the keys of a range end, or ``None`` where the listing ends them."""
        found = self._by_number[number]
        return None if found.until is None else max(found.until, found.at)

    def is_guessed(self, number: int) -> bool:
        """Return whether a range begins at a guess, and no page of it has come yet."""
        return self._by_number[number].guessed or self._trial.under_way

    def written(self, number: int, place: str | None, cursor: str | None, *, is_last: bool) -> None:
        """Note that a page of a range is written; one of a range that has joined another holds no key."""
        if number in self._by_number:
            self._by_number[number].write(place, cursor, is_last=is_last)

    def partition(self) -> tuple[KeyRange, ...]:
        """
        Return the ranges in their present state.

        A range without keys joins the range before it. One of which nothing is written begins at the last key before
        it, where that is known: not all servers list everything behind a key of no object.
        """
        found: list[KeyRange] = []
        for each in (one.key_range for one in self.ranges):
            if not found or each.place != each.after or not (each.done or found[-1].done):
                found.append(each)
            elif each.done:
                found[-1] = replace(found[-1], upto=each.upto)
            else:
                last = found[-1].place
                found[-1] = replace(found[-1], upto=last)
                found.append(replace(each, after=last, place=last))
        return tuple(found)

    def _request(self, idle: OpenRange) -> Request:
        idle.flying = True
        self._flying += 1
        self._unproven += idle.guessed
        return Request(idle.number, self._trial.start_after(idle.at))

    def _landed(self, number: int) -> OpenRange:
        found = self._by_number[number]
        found.flying = False
        self._flying -= 1
        self._unproven -= found.guessed
        return found

    def _begins_elsewhere(self, found: OpenRange, keys: Sequence[str], kept: Sequence[str]) -> bool:
        """
        Take a range's first page, which may begin too late: the range before it continues to where this one begins.

        :param kept: The keys that belong to the range.
        :return: Whether the page does not count: the range has joined the one before it, or begins again behind that.
        """
        before = self._before(found)
        if before is None:
            return False
        if before.misses(found, keys):
            found.begin_behind(before)
            return True
        if not kept:
            return self._joined(found, is_empty=True)
        if not before.listed:
            found.after = found.place = just_before(kept[0], found.after)
            before.reach(found.after)
        return False

    def _before(self, found: OpenRange) -> OpenRange | None:
        index = self.ranges.index(found)
        return self.ranges[index - 1] if index else None

    def _joined(self, found: OpenRange, *, is_empty: bool = False) -> bool:
        """
        Join a range of which no page has come to the range before it, where that is not listed to its end.

        :param is_empty: Whether a request has found nothing there.
        """
        before = self._before(found)
        if before is None or before.listed:
            return False
        if is_empty:
            before.reach(found.upto)
        else:
            before.upto, before.bound, before.estimate = found.upto, found.bound, None
        self.ranges.remove(found)
        self.open.remove(found)
        del self._by_number[found.number]
        return True

    def _learn(self, found: OpenRange, keys: Sequence[str]) -> None:
        self._model.learn(found.at, keys, listed=found.covered.count > 0)
        found.take(keys)
        if self._first is None:
            self._first = keys[0]
        if found.after >= self._last.after and found is not self._last:
            self._last, self._doubts = found, 0

    def _affordable(self, each: OpenRange) -> bool:
        """Return whether a guess may be lost; the map's guesses count as right until enough of them were wrong."""
        unproven = self._unproven if self._mapped(each) is None else 0.0
        ahead = sum(other.estimate or 0.0 for other in self.open if other is not self._last) / self._page
        return self._lost + unproven <= _SPARE + _SHARE * (self._won + min(ahead, _TRUSTED * self._won))

    def _mapped(self, each: OpenRange) -> int | None:
        """Count the keys that the map knows ahead of a range; ``None`` beyond its end, or where it has been wrong."""
        if self._map is None or not self._map.keys or each.at >= self._map.keys[-1]:
            return None
        left = max(0, self._map.rank(each.until) - self._rank(self._map, each))
        if each.promised is None:
            each.promised = left
        wrong = each.since > each.promised + _WORTH * self._page
        return None if wrong else left

    @staticmethod
    def _rank(key_map: KeyMap, each: OpenRange) -> int:
        """Return how many keys there were up to the place of a range; it began at a key of the map, as a rule."""
        return key_map.rank(each.at, key_map.rank(each.after) + each.covered.count)

    def _thought(self, each: OpenRange, long: float = inf) -> float:
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
        if each is self._last:  # its end is unknown: it continues as far again, or less the more guesses were wrong
            again = (_AGAIN * self._won + 1) * self._page
            return min(again, max(each.estimate, again / _DOUBT**self._doubts))
        brought = max(each.since, each.line)
        return max(each.estimate, _CONTINUES * brought if brought >= long else 0.0)

    def _split(self, readers: int = 1, *, far: bool = False) -> OpenRange | None:
        """
        Split the range with the most keys ahead, if that is worth a request.

        :param far: First the range whose end is unknown.
        """
        long = max(_LONG, _LONG_SHARE * self._won / readers) * self._page * (self._flying / readers) ** 2
        thought = {each.number: self._thought(each, long) for each in self.open}
        for each in sorted(
            self.open, key=lambda each: (far and each is self._last, thought[each.number]), reverse=True
        ):
            if thought[each.number] < _WORTH * self._page or not self._affordable(each):
                return None
            key = self._split_key(each, thought[each.number], sum(thought.values()) / readers)
            if key is not None and each.at < key and (each.until is None or key < each.until):
                return self._cut(each, key)
            each.estimate = 0.0
        return None

    def _split_key(self, each: OpenRange, thought: float, share: float) -> str | None:
        """
        Choose where the upper part of a range begins.

        :param thought: Keys that are thought to be left of it.
        :param share: Keys that are left for each reader.
        """
        if self._map is not None and (mapped := self._mapped(each)) is not None:
            # A reader's share is cut from the beginning: the part above has the keys that make no whole page.
            pages = min(-(-mapped // self._page) // 2, round(share / self._page) or 1)
            rank = self._rank(self._map, each)
            key = self._map.key_at(rank + pages * self._page)
            if key is None or mapped >= _WORTH_LOSING * self._page:
                return key
            lower = self._map.rank(key) - rank
            in_vain = -(-lower // self._page) - (-(mapped - lower) // self._page) + (-mapped // self._page)
            return None if in_vain else key
        if each is self._last and self._first is not None:
            again = self._model.as_far_again(each.covered, each.until, self._first, _AGAIN)
            return again or each.key
        if each.estimate is not None and each.estimate < thought:
            first = each.origin if each.line > each.since else each.covered.first
            return self._model.as_far_again(each.covered, each.until, first, 1.0) or each.key
        return each.key

    def _cut(self, each: OpenRange, key: str) -> OpenRange:
        self._number += 1
        upper = each.split(self._number, key)
        self._doubts += each is self._last
        self.ranges.insert(self.ranges.index(each) + 1, upper)
        self.open.insert(self.open.index(each) + 1, upper)
        self._by_number[upper.number] = upper
        return upper


__all__ = ["ContradictionError", "RangePlanner", "Request"]
