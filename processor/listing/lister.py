"""A listing, page by page: as one chain of requests, or single pages from any place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from processor.errors import RetryableError, SourceRefusedError, shown
from processor.listing.list_requests import ListRequests
from processor.listing.listed import Listed, check_order, keys_after
from processor.listing.next_page import NextPage
from processor.listing.page import Page, PageMaker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job


class Lister:
    """
    Lists what a job names.

    ``requests`` sends its list requests; ``maker`` makes its pages; ``lost`` counts, by reason, what the links of a
    refreshed manifest do, or a list of keys names, that the new ones will not.

    :param client:   S3 client; it serves this listing alone from now on.
    :param job:      What to list.
    :param excluded: Prefixes whose keys are never taken: they hold manifests.
    :param last_started: When the job's last complete run began.
    :param allowed:  Prefixes, one of which a key from a list of keys must have; ``None`` allows every key.
    """

    def __init__(
        self,
        client: S3Client,
        job: Job,
        excluded: tuple[str, ...],
        last_started: datetime | None = None,
        allowed: tuple[str, ...] | None = None,
    ) -> None:
        self.client, self.job = client, job
        self.lost: dict[str, int] = {}
        self._excluded, self._last_started, self.allowed = excluded, last_started, allowed
        self.maker = PageMaker(job, excluded, last_started)
        self._next = NextPage(self._send)
        self.requests = ListRequests(client, job, self.maker.facts, self._next.on_page)

    def turn_to(self, prefix: str) -> None:
        """List another prefix from now on."""
        self.job = replace(self.job, prefix=prefix)
        self.maker = PageMaker(self.job, self._excluded, self._last_started)

    async def pages(
        self, cursor: str | None, start_after: str | None, *, ask_ahead: bool = True
    ) -> AsyncGenerator[Page]:
        """
        Yield the pages from a place on.

        :param cursor:      Continuation token, preferred.
        :param start_after: Last key listed: drops what a token would repeat, and replaces a token that S3 refuses.
        :param ask_ahead:   Send the request for a page's next one before the page itself is parsed.
        :raises SourceRefusedError: The bucket is gone or access is denied.
        :raises CursorRefusedError: The token is refused and there is no last key.
        :raises RetryableError: A fault outlived botocore's retries.
        """
        self._next.is_asked_ahead = ask_ahead and self.job.end_at is None  # no request beyond the end
        try:
            async for page in self._pages(cursor, start_after):
                yield page
        finally:
            await self._next.forget()

    async def _pages(self, cursor: str | None, start_after: str | None) -> AsyncGenerator[Page]:
        last_key, resumed, passed, before = start_after, True, set[str](), ""
        while True:
            resumed = resumed or cursor is None
            found = await self._next.get(cursor, last_key)
            before = _moved(found.keys, before, self.job.bucket) if cursor is not None else before
            keys = keys_after(found.keys, last_key) if resumed else found.keys
            check_order(keys, last_key, self.job.bucket, self.job.prefix)
            last_key = keys[-1] if keys else last_key
            ended = self.job.end_at is not None and bool(keys) and keys[-1] >= self.job.end_at
            # A server that ignores ``StartAfter`` and does not say where it ends gives the same keys for ever. A page
            # with as many keys as were asked for may not be the last.
            is_short = found.size < self.job.page_size
            is_over = found.truncated is None and not found.cursor and not keys and is_short
            is_last = ended or not found.goes_on or is_over
            cursor = None if is_last else found.cursor
            self._check_progress(keys, cursor, passed, is_last=is_last)
            unsignable = found.unsignable[: len(found.unsignable) - (0 if is_last or cursor else found.tail)]
            page = Page(keys, len(found.keys), cursor, last_key, is_last, facts=found.facts)
            yield self.maker.made(page, found.archived, unsignable)
            if is_last:
                return
            resumed = not keys  # a token may lie more than a page before the last key

    def _check_progress(self, keys: list[str], cursor: str | None, passed: set[str], *, is_last: bool) -> None:
        """
        Refuse a listing that claims to continue, and does not.

        :param passed: Tokens since the last key; the new one is added.
        """
        if keys:
            passed.clear()
        if is_last:
            return
        if cursor is None and not keys:
            raise RetryableError(f"{self._says} gives neither a key nor a token")
        if cursor in passed:
            raise RetryableError(f"{self._says} gives no key, and the same token again")
        if cursor is not None:
            passed.add(cursor)

    @property
    def _says(self) -> str:
        return f"S3 says that the listing of s3://{self.job.bucket}/{self.job.prefix} continues, but"

    async def fetch(self, after: str) -> Listed:
        """
        List one page from any place.

        :param after: Key to start after, of an object or not; ``""`` is the beginning.
        :return: The answer, checked. Unsignable keys after its last key come again with the next page from there.
        :raises SourceRefusedError: The bucket is gone, access is denied, or the page is not in key order.
        :raises RetryableError: A fault outlived botocore's retries.
        """
        found = await self.requests.send(self.job, None, after)
        check_order(found.keys, None, self.job.bucket, self.job.prefix)
        kept = len(found.unsignable) - (found.tail if found.goes_on else 0)
        return replace(found, unsignable=found.unsignable[:kept])

    async def _send(self, cursor: str | None, start_after: str | None) -> Listed:
        return await self.requests.send(self.job, cursor, start_after)


def _moved(keys: list[str], before: str, bucket: str) -> str:
    """
    Return the last key of a page that a token brought: a chain may begin far before its last key, and continues to it.

    :param before: Last key of the page before it.
    :raises SourceRefusedError: The page begins again, as the server would do for ever.
    """
    if keys and keys[0] <= before:
        raise SourceRefusedError(
            f"s3://{bucket} lists {shown(keys[0])} again after {shown(before)}: the server does not continue where "
            "its own token says"
        )
    return keys[-1] if keys else before
