"""
What is known of a listing beyond the keys that were taken in order, and what has been asked for: pure.

What a page covers is known from the page alone: from where it was asked to start up to its last key. Where two pages
overlap, they must tell the same; the one that comes first in order keeps the keys.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from operator import attrgetter
from typing import TYPE_CHECKING

from processor.listing.plan.listed_range import ListedRange, OverlapCheck

if TYPE_CHECKING:
    from collections.abc import Sequence

_after = attrgetter("after")


class RangeSet:
    """
    The responses that came ahead of the order, and the requests under way.

    :param page_size: Keys that a response may bring.

    ``known`` are the responses, which share no keys, and ``flying`` the starts of the requests, both in order; ``held``
    counts the keys known, ``previous`` is the response that was taken last.
    """

    def __init__(self, page_size: int) -> None:
        self._page = page_size
        self.known: list[ListedRange] = []
        self.flying: list[str] = []
        self._guessed: set[str] = set()
        self.held = 0
        self.previous: ListedRange | None = None
        self._joins = OverlapCheck()

    @property
    def loose(self) -> int:
        """Guesses that may still turn out to have been for nothing."""
        return len(self._guessed) + sum(stretch.loose for stretch in self.known)

    def send(self, place: str, *, guessed: bool = False) -> str:
        """Count a request as under way."""
        insort(self.flying, place)
        if guessed:
            self._guessed.add(place)
        return place

    def landed(self, place: str) -> bool:
        """Count a request as answered; tell whether its start was guessed."""
        self.flying.remove(place)
        guessed = place in self._guessed
        self._guessed.discard(place)
        return guessed

    def keep(self, new: ListedRange) -> tuple[int, int]:
        """
        Keep a response until the order comes to it.

        :return: Its keys that were not known, and those of others that are told by it from now on.
        :raises DisagreementError: Two pages do not tell the same.
        """
        index = bisect_right(self.known, new.after, key=_after)
        left = self.known[index - 1] if index else self.previous
        if left is not None and left.reaches(new.after):
            new.loose = False
            if left.to is None:
                return 0, 0
            if left.to > new.after:
                self._joins.check(left, new)
                new.keys, new.after = new.between(left.to, None), left.to
                # That nothing follows is believed when it was asked after the very last key: a guess may lie anywhere.
                if left.reaches(new.to) or not new.keys:
                    return 0, 0
        lost = self._push(new, index)
        self.known.insert(index, new)
        self.held += len(new.keys) - lost
        return len(new.keys), lost

    def _push(self, new: ListedRange, index: int) -> int:
        """Take what a response tells from those that come after it; return how many keys these lose."""
        lost = 0
        while index < len(self.known) and new.reaches(self.known[index].after):
            right = self.known[index]
            right.loose = False
            if new.to == right.after:
                break
            self._joins.check(new, right)
            kept = [] if new.reaches(right.to) or new.to is None else right.between(new.to, None)
            lost += len(right.keys) - len(kept)
            if kept:
                right.after, right.keys = str(new.to), kept
                break
            del self.known[index]
        return lost

    def next(self, front: str) -> ListedRange | None:
        """Take the response that the order has come to, if it is there."""
        if not self.known or self.known[0].after > front:
            return None
        return self._dropped(self.known.pop(0))

    def farthest(self) -> ListedRange:
        """Take the response that lies farthest ahead."""
        return self._dropped(self.known.pop())

    def _dropped(self, stretch: ListedRange) -> ListedRange:
        self.held -= len(stretch.keys)
        return stretch

    def through(self, place: str) -> tuple[str | None, int]:
        """Return the end of what is known without a gap from a place on (``None``: the listing's), and its keys."""
        index, keys = max(0, bisect_right(self.known, place, key=_after) - 1), 0
        for stretch in self.known[index:]:
            if stretch.after > place:
                break
            if stretch.to is None:
                return None, keys
            if stretch.to > place:
                keys, place = keys + len(stretch.keys), stretch.to
        return place, keys

    def before(self, place: str) -> ListedRange | None:
        """Return the response that begins nearest before a place, taken or not."""
        index = bisect_left(self.known, place, key=_after)
        return self.known[index - 1] if index else self.previous

    def nearest(self, place: str, most: int) -> list[Sequence[str]]:
        """Return the pages that lie nearest before a place, without a gap between them; the last ones at most."""
        end = bisect_right(self.known, place, key=_after)
        if end and self.known[end - 1].to != place and self.known[end - 1].reaches(place):
            end -= 1  # it continues after the place
        start = max(0, end - 1)
        while start > max(0, end - most) and self.known[start - 1].to == self.known[start].after:
            start -= 1
        return [stretch.keys for stretch in self.known[start:end]]

    def bringer(self, place: str) -> str | None:
        """Return the request under way that brings what comes right after a place, and enough of it."""
        index = bisect_right(self.flying, place) - 1
        if index < 0:
            return None
        start = self.flying[index]
        return start if start == place or self.between(start, place) <= self._page // 2 else None

    def between(self, start: str, place: str) -> int:
        """Count the keys from one place to another; a page when they are not known."""
        total, at = 0, start
        for stretch in self.known if self.previous is None else [self.previous, *self.known]:
            if stretch.after > at:
                break
            total += len(stretch.between(at, place))
            if stretch.reaches(place) or total > self._page:
                return total
            at = max(at, stretch.to or at)
        return self._page

    def next_start(self, place: str) -> str | None:
        """Return the next start of a response or of a request after a place."""
        known, flying = bisect_right(self.known, place, key=_after), bisect_right(self.flying, place)
        starts = [stretch.after for stretch in self.known[known : known + 1]]
        return min(starts + self.flying[flying : flying + 1], default=None)
