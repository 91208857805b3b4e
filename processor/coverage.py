"""
What is known of a listing beyond the keys that were taken in order, and what has been asked for: pure.

What a page covers is known from the page alone: from where it was asked to start up to its last key.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class DisagreementError(Exception):
    """Two answers of the server contradict each other, or what was asked."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    What one response tells.

    :param after: Where it was asked to start, exclusive.
    :param to:    Up to where it knows the listing, inclusive; ``None`` is the end.
    """

    after: str
    keys: Sequence[str]
    to: str | None

    def between(self, after: str, to: str) -> Sequence[str]:
        """Return the keys behind one place, up to another."""
        return self.keys[bisect_right(self.keys, after) : bisect_right(self.keys, to)]


class Coverage:
    """
    The responses that came ahead of the order, and the requests under way.

    :param page_size: Keys that a response may bring.

    ``known`` are the responses by where they start, ``flying`` the starts of the requests, both in order; ``held``
    counts the keys known, ``previous`` is the response that was taken last.
    """

    def __init__(self, page_size: int) -> None:
        self._page = page_size
        self.known: list[Stretch] = []
        self.flying: list[str] = []
        self.held = 0
        self.previous: Stretch | None = None

    def send(self, place: str) -> str:
        """Count a request as under way."""
        insort(self.flying, place)
        return place

    def keep(self, stretch: Stretch) -> None:
        """Keep a response until the order comes to it."""
        insort(self.known, stretch, key=lambda known: known.after)
        self.held += len(stretch.keys)

    def next(self, front: str) -> Stretch | None:
        """Take the response that the order has come to, if it is there."""
        if not self.known or self.known[0].after > front:
            return None
        return self._dropped(self.known.pop(0))

    def farthest(self) -> Stretch:
        """Take the response that lies farthest ahead."""
        return self._dropped(self.known.pop())

    def _dropped(self, stretch: Stretch) -> Stretch:
        self.held -= len(stretch.keys)
        return stretch

    def edge(self, front: str) -> str | None:
        """Return the end of what is known without a gap from the front on; ``None`` when that is the listing's end."""
        place = front
        for stretch in self.known:
            if stretch.after > place:
                break
            if stretch.to is None:
                return None
            place = max(place, stretch.to)
        return place

    def bringer(self, place: str) -> str | None:
        """Return the request under way that brings what comes right behind a place, and enough of it."""
        index = bisect_right(self.flying, place) - 1
        if index < 0:
            return None
        start = self.flying[index]
        return start if start == place or self.between(start, place) <= self._page // 2 else None

    def between(self, start: str, place: str) -> int:
        """Count the keys from one place to another; a page when they are not known."""
        total, at = 0, start
        stretches = self.known if self.previous is None else [self.previous, *self.known]
        for stretch in stretches:
            if stretch.after > at:
                break
            total += len(stretch.between(at, place))
            if stretch.to is None or stretch.to >= place or total > self._page:
                return total
            at = max(at, stretch.to)
        return self._page

    def next_start(self, place: str, index: int) -> str | None:
        """Return the next start of a response, from an index on, or of a request."""
        starts = [stretch.after for stretch in self.known[index : index + 1]]
        flying = bisect_right(self.flying, place)
        return min(starts + self.flying[flying : flying + 1], default=None)
