"""
The one place where the stages meet: list, sign, write, until the listing ends or the time does.

Knows nothing of Lambda or sosw: the time left is a function, what it reports goes to an ``Observer``, and how it ended
is a value.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from processor.listing import ParallelListing, SequentialListing
from processor.manifest import lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from processor.job import Checkpoint, Job, Upload
    from processor.listing import Lister, Page
    from processor.signing import Signer


KEYS_AT_A_TIME = 500  # about 2 ms of work


class Observer(Protocol):
    """Hears what happens inside a hop."""

    def page(self, checkpoint: Checkpoint, listed: int) -> None:
        """Hear that a page is written."""

    def presign_error(self, key: str, reason: str) -> None:
        """Hear that one key could not be signed; it is not in the manifest."""

    def listing_fallback(self, reason: str) -> None:
        """Hear that the listing goes on with one request after the other, since the server contradicts itself."""


class Writer(Protocol):
    """
    Where the manifest is written: in S3, or on a laptop in a file. ``write``, then one of the other three.

    ``size`` is the encoded bytes so far, ``next_part`` the first part number that was not used yet.
    """

    size: int
    next_part: int

    async def write(self, data: bytes) -> None:
        """Take lines."""

    async def commit(self) -> None:
        """Make the manifest appear, whole; it never replaces another."""

    async def suspend(self) -> Upload:
        """Keep what is written, and return what the next hop needs."""

    async def abort(self, *, forget: bool) -> None:
        """Stop; ``forget`` when no checkpoint will go on with it."""

    async def is_committed(self) -> bool:
        """Tell whether this run's manifest is there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    How a hop ended.

    :param complete:   The manifest has appeared; otherwise the checkpoint says where to go on.
    :param start:      Where the hop began.
    :param checkpoint: Where it stopped, with the totals of the whole run so far.
    :param size:       The manifest's bytes so far.
    :param seconds:    How long the hop took.
    :param wasted:     List requests of this hop that brought no page to the manifest.
    """

    complete: bool
    start: Checkpoint
    checkpoint: Checkpoint
    size: int
    seconds: float = 0.0
    wasted: int = 0


async def _nothing(at: Checkpoint) -> None:
    """Do nothing before the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """
    One hop of one job.

    :param time_left: Seconds until the hop must stop; asked at every page boundary.
    :param queue_max: Keys listed and not yet written, at most.
    :param clock:     The signing clock, UTC.
    :param before_commit: Awaited with the final totals, before the manifest appears.
    :param credentials_end: When the signing credentials end, where that is known; their URLs end with them.
    """

    job: Job
    lister: Lister
    signer: Signer
    writer: Writer
    observer: Observer
    time_left: Callable[[], float]
    queue_max: int
    clock: Callable[[], datetime]
    before_commit: Callable[[Checkpoint], Awaitable[None]] = _nothing
    credentials_end: datetime | None = None

    async def run(self, start: Checkpoint) -> Outcome:
        """
        Go on from a checkpoint until the listing or the time ends.

        :param start: Where the earlier hops stopped.
        :return: Complete, or suspended at a page boundary with the checkpoint to go on from.
        :raises PresignSiblingsError: What could not be read or written; nothing has appeared.
        """
        try:
            return await self._run(start)
        except BaseException:
            # A checkpoint may still go on with the upload that an earlier hop began.
            await self.writer.abort(forget=start.hop == 0)
            raise

    async def _run(self, start: Checkpoint) -> Outcome:
        at, page, began = start, None, self.clock()
        async with self._readers(start) as ahead:
            # However short the time, a hop takes one page, or the chain would not move.
            page = await ahead.next(None)
            while page is not None:
                at = await self._write(page, at)
                ahead.written(page)
                self.observer.page(at, page.listed)
                time_left = self.time_left()
                if page.is_last or time_left <= 0:
                    break
                page = await ahead.next(time_left)
        complete = page is not None and page.is_last
        if complete:
            await self.before_commit(at)
            await self.writer.commit()
        else:
            at = replace(at, hop=start.hop + 1, upload=await self.writer.suspend())
        wasted = self.lister.requests - (at.pages - start.pages)
        return Outcome(complete, start, at, self.writer.size, (self.clock() - began).total_seconds(), wasted)

    def _readers(self, start: Checkpoint) -> SequentialListing:
        """Read from many places at once, or from one."""
        if self.job.concurrency == 1:
            pages = self.lister.pages(start.cursor, start.start_after)
            return SequentialListing(pages, self.queue_max, self.job.page_size)
        heard = self.observer.listing_fallback
        return ParallelListing(self.lister, start.cursor, start.start_after, self.queue_max, heard)

    async def _write(self, page: Page, at: Checkpoint) -> Checkpoint:
        """Sign a page and give it to the writer, some keys at a time; return the place behind it."""
        at = replace(at, cursor=page.cursor, start_after=page.last_key, pages=at.pages + 1)
        # An empty page signs nothing; the date is taken all the same, so that an empty manifest has one.
        for start in range(0, max(1, len(page.keys)), KEYS_AT_A_TIME):
            dies_at = self.clock().replace(microsecond=0) + timedelta(seconds=self.job.expiry_seconds)
            signed = await self.signer.sign(page.keys[start : start + KEYS_AT_A_TIME], at.count + 1)
            for key, reason in signed.failures:
                self.observer.presign_error(key, reason)
            for some in lines(signed.keys, signed.urls):
                await self.writer.write(some)
            at = replace(
                at,
                count=at.count + len(signed.urls),
                errors=at.errors + len(signed.failures),
                expires_at=min(at.expires_at or dies_at, dies_at, self.credentials_end or dies_at),
            )
            # Signing never waits by itself; the next list request and the parts under way are to move on.
            await asyncio.sleep(0)
        return at
