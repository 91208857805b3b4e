"""Pages fetched while earlier ones are worked on: one after the other, or from many places of the listing at once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from processor.errors import RetryableError
from processor.listing.aimd import AimdLimit
from processor.listing.plan.listed_range import DisagreementError
from processor.listing.plan.planner import RequestPlanner

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from processor.listing.listed import Listed
    from processor.listing.lister import Lister, Page

_MOST_FAILED = 3  # requests ahead of the order in a row


class SequentialListing:
    """
    Fetches pages while earlier ones are worked on, bounded by the keys that it holds.

    :param pages:     The listing; it may have one request more under way than it has yielded pages.
    :param queue_max: Keys listed and not yet written, at most (one page always fits).
    :param page_size: Keys that a page may bring.
    """

    def __init__(self, pages: AsyncGenerator[Page], queue_max: int, page_size: int) -> None:
        self._pages, self._queue_max, self._page_size = pages, queue_max, page_size
        self._held = 0
        self._room = asyncio.Event()
        self._queue: asyncio.Queue[Page | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to fetch."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop fetching; what was read ahead is dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def next(self, timeout_seconds: float | None) -> Page | None:
        """
        Wait for the next page.

        :param timeout_seconds: How long; ``None`` is as long as it takes.
        :return: ``None`` when none came in time.
        :raises PresignSiblingsError: What ended the listing, once the pages before it are taken.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                page = await self._queue.get()
        except TimeoutError:
            return None
        if page is None and self._task is not None:
            await self._task
        return page

    def written(self, page: Page) -> None:
        """Make room: the page's keys are in the manifest."""
        self._held -= page.listed
        self._room.set()

    async def _run(self) -> None:
        try:
            await self._fetch()
        finally:
            # Whatever ended the listing, the waiting reader must wake.
            self._queue.put_nowait(None)

    async def _fetch(self) -> None:
        await self._fetch_in_turn(self._pages)

    async def _fetch_in_turn(self, source: AsyncGenerator[Page]) -> None:
        async with aclosing(source) as pages:
            async for page in pages:
                self._put(page)
                while self._held and self._held + self._page_size > self._queue_max:
                    self._room.clear()
                    await self._room.wait()

    def _put(self, page: Page) -> None:
        self._held += page.listed
        self._queue.put_nowait(page)


class ParallelListing(SequentialListing):
    """
    Many list requests under way at once, each from its own place of the listing; the pages come in order.

    :param lister:      Makes the requests.
    :param cursor:      Continuation token to begin from; the place behind its page is where the ranges begin.
    :param start_after: Key to begin behind.
    :param queue_max:   Keys listed, or asked for, and not yet written, at most (one page always fits).
    :param on_fallback: Hears why the listing goes on with one request after the other.
    """

    def __init__(
        self,
        lister: Lister,
        cursor: str | None,
        start_after: str | None,
        queue_max: int,
        on_fallback: Callable[[str], None],
    ) -> None:
        super().__init__(lister.pages(cursor, start_after, ask_ahead=False), queue_max, lister.job.page_size)
        self._lister, self._on_fallback = lister, on_fallback
        self._cursor, self._start_after = cursor, start_after
        self._throttle = AimdLimit(lister.job.concurrency)
        self._flying: dict[asyncio.Task[Listed], str] = {}
        self._landed: list[asyncio.Task[Listed]] = []
        self._archived, self._unsignable = frozenset[str](), dict[str, str]()
        self._failed = 0
        lister.on_slow = self._throttle.slowed

    async def _fetch(self) -> None:
        start = self._start_after
        if self._cursor is not None:
            start, ended = await self._by_token()
            if ended:
                return
        job = self._lister.job
        ranges = RequestPlanner(job.prefix, start or "", job.page_size, self._queue_max, job.end_at)
        try:
            await self._fetch_ranges(ranges)
        except DisagreementError as error:
            await self._stop()
            self._on_fallback(str(error))
            await self._fetch_in_turn(self._lister.pages(None, ranges.front or None))
        finally:
            await self._stop()

    async def _by_token(self) -> tuple[str | None, bool]:
        """Take pages by their tokens until a key says where to go on, or the listing ends."""
        async with aclosing(self._pages) as pages:
            async for page in pages:
                # Between keys the token alone says where the listing is.
                has_moved = page.last_key not in {None, self._start_after}
                self._put(replace(page, cursor=None) if has_moved else page)
                if page.is_last:
                    return None, True
                if has_moved:
                    return page.last_key, False
        return None, True

    async def _fetch_ranges(self, ranges: RequestPlanner) -> None:
        while True:
            self._room.clear()
            while (after := ranges.next_request(self._throttle.limit, self._held)) is not None:
                self._send(after)
            await self._room.wait()
            landed, self._landed = self._landed, []
            for task in landed:
                self._land(ranges, self._flying.pop(task), task)
            while (taken := ranges.take()) is not None:
                page = self._lister.page(*taken, ranges.front, self._archived, self._unsignable_up_to(*taken))
                self._put(page)
                if page.is_last:
                    return

    def _send(self, after: str) -> None:
        task = asyncio.create_task(self._lister.fetch(after))
        self._flying[task] = after
        task.add_done_callback(self._note)

    def _note(self, task: asyncio.Task[Listed]) -> None:
        self._landed.append(task)
        self._room.set()

    def _land(self, ranges: RequestPlanner, after: str, task: asyncio.Task[Listed]) -> None:
        """
        Hand a response over.

        A fault that outlived its retries ends the listing only where the order waits for that page.
        """
        try:
            found = task.result()
        except RetryableError:
            if after == ranges.front:
                raise
            ranges.failed(after)
            self._throttle.slowed()
            self._failed += 1
            if self._failed >= _MOST_FAILED:
                raise DisagreementError("the server fails on requests that start after a key of no object") from None
            return
        if after != ranges.front:
            self._failed = 0
        self._throttle.went_well()
        self._archived |= found.archived
        self._unsignable |= dict(found.unsignable)
        ranges.arrived(after, found.keys, truncated=found.goes_on)

    def _unsignable_up_to(self, keys: Sequence[str], is_last: bool) -> list[tuple[str, str]]:  # noqa: FBT001 - as told
        """Return the keys that nobody can sign, once the order has come to them."""
        passed = [key for key in self._unsignable if is_last or (keys and key <= keys[-1])]
        return [(key, self._unsignable.pop(key)) for key in passed]

    async def _stop(self) -> None:
        """Stop what is under way: nothing may outlive the client."""
        tasks, self._flying, self._landed = list(self._flying), {}, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
