"""Pages fetched one after the other, while earlier ones are worked on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from processor.listing.lister import Page


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
            async with aclosing(self._pages) as pages:
                async for page in pages:
                    self._held += page.listed
                    self._queue.put_nowait(page)
                    while self._held and self._held + self._page_size > self._queue_max:
                        self._room.clear()
                        await self._room.wait()
        finally:
            # Whatever ended the listing, the waiting reader must wake.
            self._queue.put_nowait(None)
