"""A listing of ranges that are split wherever a seed says: one request after another, in any order of the ranges."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from processor.listing import RangePage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from processor.job import KeyRange
    from processor.listing import Lister


class SplitListing:
    """
    It has the interface of the processor's own listing.

    :param keys: Places where a range may be split, in order.
    """

    def __init__(self, lister: Lister, ranges: Sequence[KeyRange], random: Random, keys: Sequence[str]) -> None:
        self._lister, self._ranges, self._random, self._keys = lister, list(ranges), random, keys

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    @property
    def ended(self) -> bool:
        return all(found.done for found in self._ranges)

    async def next(self, timeout_seconds: float | None) -> RangePage | None:
        """List a page of any range, after some splits."""
        while self._random.random() < 0.5:
            self._split()
        left = [found for found in self._ranges if not found.done]
        if not left:
            return None
        found = self._random.choice(left)
        try:
            async with asyncio.timeout(timeout_seconds):
                listed = await self._lister.fetch(found.place)
        except TimeoutError:
            return None
        keys, truncated = listed.keys, listed.goes_on
        cut = len(keys) if found.upto is None else next((i for i, k in enumerate(keys) if k > found.upto), len(keys))
        is_last = not truncated or cut < len(keys) or (found.upto is not None and keys[-1:] >= [found.upto])
        return RangePage(
            found.number,
            self._lister.maker.page(keys[:cut], (keys[:cut] or [found.place])[-1], listed, is_last=is_last),
        )

    def written(self, page: RangePage) -> None:
        index = next(index for index, found in enumerate(self._ranges) if found.number == page.number)
        found = self._ranges[index]
        place = page.page.last_key or found.place
        self._ranges[index] = replace(found, place=place, cursor=None, done=page.page.is_last)

    def partition(self) -> Sequence[KeyRange]:
        return tuple(self._ranges)

    def key_map(self) -> None: ...

    def _split(self) -> None:
        """Split any range somewhere after its place; a split without keys is done with its first page."""
        index = self._random.randrange(len(self._ranges))
        found = self._ranges[index]
        between = [key for key in self._keys[bisect_left(self._keys, found.place) :] if key > found.place]
        between = [key for key in between if found.upto is None or key < found.upto]
        if found.done or not between:
            return
        key = self._random.choice(between)
        number = max(other.number for other in self._ranges) + 1
        upper = replace(found, number=number, after=key, place=key, cursor=None)
        self._ranges[index : index + 1] = [replace(found, upto=key, cursor=None), upper]


def splitting(random: Random, keys: Sequence[str]) -> Callable[..., SplitListing]:
    """Return a function that opens such a listing in place of the processor's own."""

    def opened(lister: Lister, ranges: Sequence[KeyRange], *_: object) -> SplitListing:
        return SplitListing(lister, ranges, random, keys)

    return opened
