"""Pages that a separate task fetches while earlier ones are worked on."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """Pages that wait to be worked on, and the task that fetches them: a subclass's ``_fetch``, by ``_bring``."""

    def __init__(self) -> None:
        self._queue: asyncio.PriorityQueue[tuple[bool, str, int, T | None]] = asyncio.PriorityQueue()
        self._numbers = count()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to fetch."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop fetching; pages that were not written are listed again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def next(self, timeout_seconds: float | None) -> T | None:
        """
        Wait for the next page.

        :param timeout_seconds: Longest wait; ``None`` waits without a limit.
        :return: ``None`` when none came in time, or the listing has ended.
        :raises PresignSiblingsError: What ended the listing, once the pages before it are taken.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                *_, page = await self._queue.get()
        except TimeoutError:
            return None
        if page is None and self._task is not None:
            self._end()  # another call gets the same answer
            await self._task
        return page

    async def _run(self) -> None:
        try:
            await self._fetch()
        finally:
            # Whatever ended the listing, the waiting reader must wake.
            self._end()

    def _bring(self, page: T, place: str = "") -> None:
        """
        Queue a page.

        :param place: Pages with an earlier place are worked on first; those with the same, in the order that they came.
        """
        self._queue.put_nowait((False, place, next(self._numbers), page))

    def _end(self) -> None:
        """Queue the end, after all pages."""
        self._queue.put_nowait((True, "", next(self._numbers), None))

    async def _fetch(self) -> None:
        """Fetch the pages, to the end of the listing."""
        raise NotImplementedError
