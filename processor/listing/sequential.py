"""Pages fetched one after the other, while earlier ones are worked on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from processor.listing.background import Background
from processor.listing.page import Page

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class SequentialListing(Background[Page]):
    """
    Fetches pages while earlier ones are worked on, bounded by the keys that it holds.

    :param pages:     The listing; it may have one request more under way than it has yielded pages.
    :param queue_max: Keys listed and not yet written, at most (one page always fits).
    :param page_size: Keys that a page may bring.
    """

    def __init__(self, pages: AsyncGenerator[Page], queue_max: int, page_size: int) -> None:
        super().__init__()
        self._pages, self._queue_max, self._page_size = pages, queue_max, page_size
        self._held = 0
        self._room = asyncio.Event()

    def written(self, page: Page) -> None:
        """Make room: the page's keys are in the manifest."""
        self._held -= page.listed
        self._room.set()

    async def _fetch(self) -> None:
        async with aclosing(self._pages) as pages:
            async for page in pages:
                self._held += page.listed
                self._bring(page)
                # Pages of a file come without a wait. The writer must have its turn all the same, or a short hop would
                # read all that fits, and write one.
                await asyncio.sleep(0)
                while self._held and self._held + self._page_size > self._queue_max:
                    self._room.clear()
                    await self._room.wait()
