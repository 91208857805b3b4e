"""
The one place where the stages meet: list, sign, write, until the listing ends or the time does.

Knows nothing of Lambda or sosw: the time left is a function, what it reports goes to an ``Observer``, and how it ended
is a value.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, Self

from processor.errors import RetryableError, is_signed_out
from processor.hindrances import MAX_URL, hindered, unlikely
from processor.job import Counts, Sample
from processor.manifest import PAUSE_SECONDS, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from processor.job import Checkpoint, KeyRange
    from processor.listing import KeyMap, RangePage
    from processor.manifest import RangeWriters
    from processor.signing import Signer


class Observer(Protocol):
    """Observes what happens inside a hop."""

    def page(self, counts: Counts, listed: int) -> None:
        """Note that a page is written."""

    def presign_error(self, key: str, reason: str) -> None:
        """Note that one key could not be signed; it is not in the manifest."""

    def listing_fallback(self, reason: str) -> None:
        """Note that the listing continues with one request after the other, since the server contradicts itself."""

    def listing_paused(self, reason: str) -> None:
        """Note that a request has failed for now, and the listing continues after a pause, while there is time."""


class Listing(Protocol):
    """Brings the pages of a run's ranges, in any order; those of one range in key order."""

    async def __aenter__(self) -> Self:
        """Begin to fetch."""

    async def __aexit__(self, *_: object) -> None:
        """Stop fetching; what was not written is listed again."""

    @property
    def ended(self) -> bool:
        """Whether every range is done, and every page was written."""

    async def next(self, timeout_seconds: float | None) -> RangePage | None:
        """Wait for the next page; ``None`` when none came in time."""

    def written(self, page: RangePage) -> None:
        """Note that a page's keys are written."""

    def partition(self) -> Sequence[KeyRange]:
        """Return all ranges in their present state, in key order."""

    def key_map(self) -> KeyMap | None:
        """Return the map of the keys that the run has made so far, where it makes one."""


@dataclass(frozen=True, slots=True)
class Listed:
    """
    What a hop has listed, signed and written.

    :param counts:    Counts of the whole run so far.
    :param partition: All ranges in their present state.
    :param ended:     Whether all of them are done.
    :param key_map:   The map of the keys that the run has made so far, where it makes one.
    """

    counts: Counts
    partition: Sequence[KeyRange]
    ended: bool
    key_map: KeyMap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """
    List, sign, write.

    :param listing:   Lists from some ranges on, with the map of the keys that the run has made before.
    :param writers:   Take the lines of each range.
    :param time_left: Seconds until the hop must stop; asked at every page boundary.
    :param clock:     The signing clock, UTC.
    :param expiry_seconds: Lifetime of each URL.
    :param fields:    Facts in each line.
    :param pins:      URLs name versions, which come last in the facts of a page.
    :param is_list:   Keys are those of a list that people may have written.
    :param credentials_end: When the signing credentials end, where that is known; their URLs end with them.
    """

    listing: Callable[[Sequence[KeyRange], KeyMap | None], Listing]
    signer: Signer
    writers: RangeWriters
    observer: Observer
    time_left: Callable[[], float]
    clock: Callable[[], datetime]
    expiry_seconds: int
    fields: Sequence[str] = ()
    pins: bool = False
    is_list: bool = False
    credentials_end: datetime | None = None

    async def run(self, start: Checkpoint, learnt: KeyMap | None = None) -> Listed:
        """
        Continue from a checkpoint until the listing or the time ends.

        :param start:  Where the earlier hops stopped.
        :param learnt: The map of the keys that earlier hops have made.
        :raises PresignSiblingsError: What could not be read or written.
        """
        at = Listed(start.counts, [each.range for each in start.ranges], ended=False, key_map=learnt)
        # However short the time, a hop waits for one page, or the chain would not move.
        at, failed = await self._listed(at, None)
        error = failed
        while error is not None and await self._paused(error, at.counts):
            failed = error
            at, error = await self._listed(at, self.time_left())
        if failed is not None and at.counts.pages == start.counts.pages:
            raise failed
        return at

    async def _listed(self, at: Listed, seconds: float | None) -> tuple[Listed, RetryableError | None]:
        """
        List on until the listing or the time ends, or a request fails for now: what is written before it stays.

        :param seconds: Longest wait for the first page.
        """
        counts = at.counts
        async with self.listing(at.partition, at.key_map) as listing:
            page = await self._next(listing, seconds)
            while page is not None and not isinstance(page, RetryableError):
                counts = await self._write(page, counts)
                listing.written(page)
                if page.page.is_last:
                    await self.writers.finish(page.number, listing.partition)
                self.observer.page(counts, page.page.listed)
                time_left = self.time_left()
                page = None if time_left <= 0 else await self._next(listing, time_left)
            return Listed(counts, listing.partition(), listing.ended, listing.key_map()), page

    async def _next(self, listing: Listing, seconds: float | None) -> RangePage | RetryableError | None:
        """Wait for the next page; return the error of a request that has failed for now."""
        try:
            return None if listing.ended else await listing.next(seconds)
        except RetryableError as error:
            return error

    async def _paused(self, error: RetryableError, counts: Counts) -> bool:
        """
        Wait, and return whether there is time to try again: S3 asks to slow down for minutes, which cost no hop.

        A job without a page yet does not wait: its bucket or endpoint may be wrong.
        """
        if counts.pages == 0 or is_signed_out(error):
            return False
        self.observer.listing_paused(str(error))
        await asyncio.sleep(max(0.0, min(PAUSE_SECONDS, self.time_left())))
        return self.time_left() > 0

    async def _write(self, found: RangePage, counts: Counts) -> Counts:
        """Sign a page, and give its lines to its range's writer; return the counts with it."""
        page = found.page
        for key, reason in page.unsignable:
            self.observer.presign_error(key.encode(errors="backslashreplace").decode(), reason)
        # An empty page signs nothing; the date is taken all the same, so that an empty manifest has one.
        expires_at = self.clock().replace(microsecond=0) + timedelta(seconds=self.expiry_seconds)
        versions = {key: str(page.facts[key][-1]) for key in page.keys} if self.pins else None
        signed = await self.signer.sign(page.keys, counts.count + 1, versions)
        for key, reason in signed.failures:
            self.observer.presign_error(key, reason)
        if signed.keys:
            await self.writers.write(found.number, lines(signed.keys, signed.urls, self.fields, page.facts))
        wrong = hindered(signed.keys, signed.urls if signed.urls.may_exceed(MAX_URL) else ())
        # Signing never waits by itself; the next list request and the parts under way are to move on.
        await asyncio.sleep(0)
        return counts + Counts(
            count=len(signed.urls),
            errors=len(page.unsignable) + len(signed.failures),
            pages=1,
            expires_at=min(expires_at, self.credentials_end or expires_at),
            archived=page.archived,
            skipped=page.skipped,
            hindered=wrong | unlikely(signed.keys) if self.is_list else wrong,
            sample=Sample.of(signed.keys, versions),
        )
