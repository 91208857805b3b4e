"""Many key ranges of one listing, read at once; no page waits for another range's."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from processor.errors import RetryableError
from processor.listing.aimd import AimdLimit
from processor.listing.background import Background
from processor.listing.ranges.key_map import KeyMapMaker
from processor.listing.ranges.planner import RangePlanner
from processor.listing.ranges.trial import ContradictionError
from processor.listing.request_time import RequestTime, RequestTimes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from processor.job import KeyRange
    from processor.listing.listed import Listed
    from processor.listing.lister import Lister
    from processor.listing.page import Page
    from processor.listing.ranges.key_map import KeyMap
    from processor.listing.ranges.open_range import OpenRange
    from processor.listing.ranges.planner import Request

_MOST_FAILED = 3  # requests in a row: of one range, or that start at guesses

Response: TypeAlias = "asyncio.Task[Listed]"


@dataclass(frozen=True, slots=True)
class RangePage:
    """
    One page of one range.

    :param number: The range.
    :param page:   The keys; ``is_last`` when the range is done with this page.
    """

    number: int
    page: Page


class RangeListing(Background[RangePage]):
    """
    Lists the ranges of a run, and splits them while readers have nothing to do.

    A server that contradicts itself is listed by one chain of requests, range after range.

    :param lister:      Makes the requests.
    :param ranges:      The ranges of the run, in key order.
    :param queue_max:   Keys listed, or asked for, and not yet written, at most (one page always fits).
    :param on_fallback: Called with the reason, when the listing continues with one request after the other.
    :param known:       Gives the map of these keys from an earlier run; asked once the listing has a second page.
                        Without it no map is made.
    :param learnt:      Map that earlier hops of this run have made.
    """

    def __init__(
        self,
        lister: Lister,
        ranges: Sequence[KeyRange],
        queue_max: int,
        on_fallback: Callable[[str], None],
        known: Callable[[], Awaitable[KeyMap | None]] | None = None,
        learnt: KeyMap | None = None,
    ) -> None:
        super().__init__()
        job = lister.job
        self._lister, self._queue_max, self._on_fallback = lister, queue_max, on_fallback
        self._page = job.page_size
        self._planner = RangePlanner(job.prefix, ranges, job.page_size, end_at=job.end_at)
        # A run that looks for no map makes none either: to save one of 1,000 pages takes as long as to list two pages.
        self._maker = None if known is None else KeyMapMaker(job.prefix, learnt)
        self._known = known
        self._using_map: asyncio.Task[None] | None = None
        self._limit = AimdLimit(job.concurrency)
        self._flying: dict[Response, tuple[Request, RequestTime]] = {}
        self._times = RequestTimes()
        self._landed: list[Response] = []
        self._failed: dict[int | None, int] = {}  # by range; ``None`` for all that start at guesses
        self._unwritten = 0
        self._answered = False
        self._event = asyncio.Event()
        lister.requests.on_slow = self._limit.slowed

    @property
    def ended(self) -> bool:
        """Whether every range is done, and every page was written."""
        return all(each.done for each in self._planner.ranges)

    def written(self, page: RangePage) -> None:
        """Make room: the page's keys are in the range's piece."""
        self._unwritten -= page.page.listed
        self._planner.written(page.number, page.page.last_key, page.page.cursor, is_last=page.page.is_last)
        self._event.set()

    def partition(self) -> tuple[KeyRange, ...]:
        """Return all ranges in their present state, in key order."""
        return self._planner.partition()

    def key_map(self) -> KeyMap | None:
        """Return the map of the keys that this run has made, if it does: the next run may begin its ranges there."""
        return None if self._maker is None else self._maker.map()

    async def _fetch(self) -> None:
        try:
            await self._follow_cursors()
            await self._fetch_ranges()
        except ContradictionError as error:
            await self._stop()
            self._on_fallback(str(error))
            for each in self._planner.rejoined():
                await self._chain(each, None)
        finally:
            await self._stop()

    async def _follow_cursors(self) -> None:
        """Take pages by their tokens until a key says where to continue."""
        for each in self._planner.open:
            if each.cursor is not None:
                await self._chain(each, each.cursor, to_a_key=True)

    async def _chain(self, found: OpenRange, cursor: str | None, *, to_a_key: bool = False) -> None:
        """
        List a range by one request after the other.

        :param to_a_key: Only until there is a key to continue from.
        """
        async with aclosing(self._lister.pages(cursor, found.at or None, ask_ahead=False)) as pages:
            async for page in pages:
                by_key = to_a_key and page.last_key not in {None, found.at}
                page = found.chained(replace(page, cursor=None) if by_key else page)  # noqa: PLW2901 - its own part
                self._put(found.number, page, page.last_key or "")
                if found.listed or by_key:
                    return
                while self._unwritten and self._unwritten + self._page > self._queue_max:
                    self._event.clear()
                    await self._event.wait()

    async def _fetch_ranges(self) -> None:
        while self._planner.open:
            self._event.clear()
            self._send()
            await self._event.wait()
            landed, self._landed = self._landed, []
            under_way = len(self._flying)
            for task in landed:
                request, taken = self._flying.pop(task)
                self._times.add(taken, under_way)
                self._land(request, task)

    def _send(self) -> None:
        """Send requests while there is room for their pages: what waits for the writer takes the place of requests."""
        limit = self._limit.limit
        while True:
            waiting = (len(self._flying) + 1) * self._page + self._unwritten
            room = waiting <= min(self._queue_max, (limit + 1) * self._page)
            if (self._flying or self._unwritten) and not room:
                return
            request = self._planner.next_request(limit, split=self._is_waiting(limit))
            if request is None:
                return
            task = asyncio.create_task(self._lister.fetch(request.after))
            self._flying[task] = request, RequestTime()
            task.add_done_callback(self._note)

    def _is_waiting(self, limit: int) -> bool:
        """
        Return whether the job waits for its list requests; while it has enough to do, a split only costs a request.

        Half as many pages as readers keep the writer busy.
        """
        is_fed = self._unwritten > max(1, limit // 2) * self._page
        return not is_fed and self._times.ask_for_more_than(len(self._flying))

    def _note(self, task: Response) -> None:
        self._landed.append(task)
        self._event.set()

    def _land(self, request: Request, task: Response) -> None:
        before = self._planner.at(request.number)
        try:
            found = task.result()
        except RetryableError as error:
            if self._lasts(request.number, error):
                raise
            return
        self._failed.pop(request.number, None)
        if self._planner.is_guessed(request.number):
            self._failed.pop(None, None)
        self._limit.went_well()
        self._answered = True
        if found.goes_on and self._known is not None and self._using_map is None:
            self._using_map = asyncio.create_task(self._use_map(self._known))
        kept, is_last = self._planner.arrived(request.number, found.keys, truncated=found.goes_on)
        if self._maker is not None:
            self._maker.add(request.number, kept, is_last=is_last)
        front = self._planner.at(request.number)
        end = self._planner.end(request.number) if is_last else front
        # Keys before the range's own place, and after its end, belong to another range.
        unsignable = [(key, why) for key, why in found.unsignable if before < key and (end is None or key <= end)]
        page = self._lister.maker.page(kept, front, found, unsignable, is_last=is_last)
        self._put(request.number, page, front or request.after)

    async def _use_map(self, known: Callable[[], Awaitable[KeyMap | None]]) -> None:
        """Split ranges by the map of an earlier run, once it is there."""
        key_map = await known()
        if key_map is not None:
            self._planner.use(key_map)
            self._event.set()

    def _lasts(self, number: int, error: RetryableError) -> bool:
        """
        Return whether a range's request fails for good after botocore's own retries; if not, it is sent once more.

        :raises ContradictionError: Requests that start at guesses fail.
        """
        self._limit.slowed()
        failed = None if self._planner.failed(number) else number
        self._failed[failed] = self._failed.get(failed, 0) + 1
        if failed is None:
            if self._failed[failed] == _MOST_FAILED:
                raise ContradictionError(f"requests that start after a key that does not exist fail: {error}")
            return False
        return self._failed[failed] == _MOST_FAILED or not self._answered

    def _put(self, number: int, page: Page, at: str) -> None:
        """
        Let a page wait for the writer.

        :param at: Key by which the waiting pages are sorted. The first in key order is written first, so that few
                   ranges hold parts that are half full.
        """
        self._unwritten += page.listed
        self._bring(RangePage(number, page), at)

    async def _stop(self) -> None:
        """Stop what is under way: nothing may outlive the client."""
        tasks: list[asyncio.Task[Any]] = [*self._flying, *([] if self._using_map is None else [self._using_map])]
        self._flying, self._landed = {}, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
