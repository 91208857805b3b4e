"""A run's whole key space as one range, with the interface of a listing of ranges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from processor.listing.prefixes import of_prefixes
from processor.listing.range_listing import RangeListing, RangePage
from processor.listing.sequential import SequentialListing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from processor.job import KeyRange
    from processor.listing.lister import Lister
    from processor.listing.page import Page
    from processor.listing.ranges.key_map import KeyMap


class OneRange:
    """
    Lists one range in order.

    :param found: The range in its present state.
    :param pages: Brings its pages.
    """

    def __init__(self, found: KeyRange, pages: SequentialListing) -> None:
        self._range, self._pages = found, pages

    async def __aenter__(self) -> Self:
        """Begin to fetch."""
        await self._pages.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop fetching."""
        await self._pages.__aexit__()

    @property
    def ended(self) -> bool:
        """Whether the range is done, and every page of it was written."""
        return self._range.done

    async def next(self, timeout_seconds: float | None) -> RangePage | None:
        """Wait for the next page; ``None`` when none came in time."""
        page = None if self._range.done else await self._pages.next(timeout_seconds)
        return None if page is None else RangePage(self._range.number, page)

    def written(self, page: RangePage) -> None:
        """Make room: the page's keys are in the range's piece."""
        self._pages.written(page.page)
        place = page.page.last_key or self._range.place
        self._range = replace(self._range, place=place, cursor=page.page.cursor, done=page.page.is_last)

    def partition(self) -> tuple[KeyRange, ...]:
        """Return the range in its present state."""
        return (self._range,)

    def key_map(self) -> None:
        """Return no map: one chain of requests has no use for one."""


def open_listing(
    lister: Lister,
    ranges: Sequence[KeyRange],
    queue_max: int,
    on_fallback: Callable[[str], None],
    known: Callable[[], Awaitable[KeyMap | None]] | None = None,
    learnt: KeyMap | None = None,
) -> OneRange | RangeListing:
    """
    List a run: as one chain of requests where the job has a concurrency of 1 or another source than one
    prefix, otherwise from many places at once.

    :param ranges:      The run's ranges in their present state, in key order.
    :param queue_max:   Keys listed and not yet written, at most.
    :param on_fallback: Called with the reason, when the listing continues with one request after the other.
    :param known:       Gives the map of these keys from an earlier run.
    :param learnt:      Map that earlier hops of this run have made.
    """
    if lister.job.prefixes or lister.job.keys_place:
        (found,) = ranges
        brought = _read(lister, found.cursor) if lister.job.keys_place else of_prefixes(lister, found.place or None)
        return OneRange(found, SequentialListing(brought, queue_max, lister.job.page_size))
    one = len(ranges) == 1 and ranges[0].upto == lister.job.end_at
    if lister.job.concurrency > 1 or not one:
        return RangeListing(lister, ranges, queue_max, on_fallback, known, learnt)
    (found,) = ranges
    pages = lister.pages(found.cursor, found.place or None)
    return OneRange(found, SequentialListing(pages, queue_max, lister.job.page_size))


def _read(lister: Lister, cursor: str | None) -> AsyncGenerator[Page]:
    """Read a list of keys."""
    from processor.listing.keys.pages import of_keys  # noqa: PLC0415 - a listing saves 8 ms of its cold start

    return of_keys(lister, cursor)
