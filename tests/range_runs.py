"""A run that is listed from many places at once, hop after hop: its keys, and the ranges that a hand-over keeps."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from processor.job import KeyRange
from processor.listing import Lister, RangeListing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from processor.job import Job
    from processor.listing import KeyMap, RangePage

WHOLE = KeyRange(0, "", None, "", None, done=False)
PATIENCE = 30.0  # seconds; a reader that is never woken is a failure, not a hang


class RangeRun:
    """A run's keys by range."""

    def __init__(self) -> None:
        self.ranges: tuple[KeyRange, ...] = (WHOLE,)
        self.keys: dict[int, list[str]] = {}
        self.heard: list[str] = []
        self.requests = 0

    @property
    def in_order(self) -> list[str]:
        """Return the keys in the order of the manifest."""
        return [key for found in self.ranges for key in self.keys.get(found.number, [])]

    @property
    def ended(self) -> bool:
        """Whether every range is done."""
        return all(found.done for found in self.ranges)

    async def listed(
        self,
        client: Any,
        job: Job,
        *,
        queue_max: int = 1000,
        key_map: KeyMap | None = None,
        pages: int | None = None,
        at_page: Callable[[int, RangeListing], Awaitable[None]] | None = None,
    ) -> None:
        """List to the end, or until a number of pages are written; later pages are lost."""
        lister = Lister(client, job, ())
        async with RangeListing(lister, self.ranges, queue_max, self.heard.append, known(key_map)) as listing:
            taken = 0
            while not listing.ended and taken != pages:
                page = await asyncio.wait_for(listing.next(None), PATIENCE)
                assert page is not None
                taken += 1
                if at_page is not None:
                    await at_page(taken, listing)
                self._write(page, listing)
            self.ranges = listing.partition()
            self.requests += lister.requests.count
        check_partition(self.ranges, job.end_at)

    def _write(self, page: RangePage, listing: RangeListing) -> None:
        self.keys.setdefault(page.number, []).extend(page.page.keys)
        listing.written(page)


def known(key_map: KeyMap | None) -> Callable[[], Awaitable[KeyMap | None]]:
    """Return a function that loads a map, as its store does."""

    async def load() -> KeyMap | None:
        return key_map

    return load


def check_partition(ranges: Sequence[KeyRange], end_at: str | None = None) -> None:
    """Check that the ranges divide the key space: each begins where the one before it ends."""
    assert ranges[-1].upto == end_at
    assert all(one.upto == two.after for one, two in pairwise(ranges))
    assert len({found.number for found in ranges}) == len(ranges)
    assert all(found.after <= found.place for found in ranges)
    assert all(found.upto is None or found.place <= found.upto for found in ranges)
