"""
Where the next list request starts: pure, without I/O.

The ranges partition the key space, and each has at most one request under way, from its own place. A reader that has
nothing to do splits a range. Only pages say which keys a range has, so a split at a wrong key costs a request, never a
key.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from processor.listing.ranges.open_range import OpenRange, just_before
from processor.listing.ranges.split_choice import SplitChoice
from processor.listing.ranges.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.job import KeyRange
    from processor.listing.ranges.key_map import KeyMap


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

    def __init__(self, prefix: str, ranges: Sequence[KeyRange], page_size: int, *, end_at: str | None = None) -> None:
        self.ranges = [OpenRange.of(found, len(prefix), end_at) for found in ranges]
        self.open = [each for each in self.ranges if not each.listed]  # not listed to their ends
        self._by_number = {each.number: each for each in self.ranges}
        self._choice = SplitChoice(prefix, page_size, self.ranges[0])
        self._number = max(each.number for each in ranges)
        self._flying = 0
        self._trial = Trial(passed=len(ranges) > 1 and all(each.cursor is None for each in ranges))

    def use(self, key_map: KeyMap) -> None:
        """Split ranges by a map of these keys from now on."""
        self._choice.use(key_map)

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
            far = max(idle, key=self._choice.thought)
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
        self._choice.count(len(kept))
        if not found.is_begun and self._begins_elsewhere(found, keys, kept):
            return (), False
        found.listed = not truncated or len(kept) < len(keys) or (bool(kept) and kept[-1] in {found.upto, found.bound})
        if kept:
            self._choice.learn(found, kept)
            found.take(kept)
        if len(kept) < len(keys):
            found.beyond = keys[len(kept)]
            if not found.guessed:
                self._choice.learn_beyond(found, found.beyond)
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
        self._choice.count(0)
        return (found.guessed and self._joined(found)) or self._trial.under_way

    def rejoined(self) -> list[OpenRange]:
        """Give up every guess and every request; return the ranges that are left to list, in key order."""
        for each in list(self.open):
            if each.is_begun or not self._joined(each):
                each.flying = False
                before = None if each.is_begun else self._before(each)
                if before is not None:
                    each.begin_after(before)
        self._flying = 0
        return list(self.open)

    def at(self, number: int) -> str:
        """Return the last listed key of a range; an empty text for one that has joined another."""
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
        it, where that is known: not all servers list everything after a key of no object.
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
        self._choice.sent(idle)
        return Request(idle.number, self._trial.start_after(idle.at))

    def _landed(self, number: int) -> OpenRange:
        found = self._by_number[number]
        found.flying = False
        self._flying -= 1
        self._choice.landed(found)
        return found

    def _begins_elsewhere(self, found: OpenRange, keys: Sequence[str], kept: Sequence[str]) -> bool:
        """
        Take a range's first page, which may begin too late: the range before it continues to where this one begins.

        :param kept: The keys that belong to the range.
        :return: Whether the page does not count: the range has joined the one before it, or begins again after it.
        """
        before = self._before(found)
        if before is None:
            return False
        if before.misses(found, keys):
            found.begin_after(before)
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

    def _split(self, readers: int = 1, *, far: bool = False) -> OpenRange | None:
        """
        Split the range with the most keys ahead, if that is worth a request; return its upper part.

        :param far: First the range whose end is unknown.
        """
        chosen = self._choice.choose(self.open, self._flying, readers, far=far)
        return None if chosen is None else self._cut(*chosen)

    def _cut(self, each: OpenRange, key: str) -> OpenRange:
        self._number += 1
        upper = each.split(self._number, key)
        self.ranges.insert(self.ranges.index(each) + 1, upper)
        self.open.insert(self.open.index(each) + 1, upper)
        self._by_number[upper.number] = upper
        return upper
