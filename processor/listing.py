"""Pages of keys from S3, in order, the next one under way while this one is worked on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from operator import lt
from typing import TYPE_CHECKING, Any, NotRequired, Self, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import CursorRefusedError, RetryableError, SourceRefusedError, error_code, from_client_error
from processor.page import EVENT, KEYS, next_token, take_keys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job

_REFUSED_TOKEN_CODES = frozenset({"InvalidArgument", "InvalidToken"})


@dataclass(frozen=True, slots=True)
class Page:
    """
    One page of the listing.

    :param keys:     The keys that the job takes, in S3 order.
    :param listed:   How many keys S3 returned, taken or not.
    :param cursor:   Continuation token of the next page.
    :param last_key: Last key that S3 returned in this page or an earlier one.
    :param is_last:  Whether the listing ends here.
    """

    keys: list[str]
    listed: int
    cursor: str | None
    last_key: str | None
    is_last: bool


class _Request(TypedDict):
    Bucket: str
    Prefix: str
    MaxKeys: int
    ContinuationToken: NotRequired[str]
    StartAfter: NotRequired[str]


class Lister:
    """
    One sequential ListObjectsV2 chain.

    :param client:   S3 client; ``take_keys`` is registered on it.
    :param job:      What to list.
    :param excluded: Prefixes whose keys are never taken: they hold manifests.
    """

    def __init__(self, client: S3Client, job: Job, excluded: tuple[str, ...]) -> None:
        self.client, self.job = client, job
        self._suffix = job.suffix.lower()
        self._excluded = tuple(prefix for prefix in excluded if overlap(prefix, job.prefix))
        self._ahead: tuple[str, asyncio.Task[dict[str, Any]]] | None = None
        self._awaited = False
        handler: Any = self._ask_ahead  # aiobotocore awaits it
        client.meta.events.register_first(EVENT, handler, unique_id="presign-ask-ahead")
        client.meta.events.register(EVENT, take_keys, unique_id="presign-take-keys")

    async def pages(self, cursor: str | None, start_after: str | None) -> AsyncGenerator[Page]:
        """
        Yield the pages from a place on.

        :param cursor:      Continuation token, preferred.
        :param start_after: Last key listed: drops what a token would repeat, and stands in for a token that S3 refuses.
        :raises SourceRefusedError: The bucket is gone or access is denied.
        :raises CursorRefusedError: The token is refused and there is no last key.
        :raises RetryableError: A fault outlived botocore's retries.
        """
        try:
            async for page in self._pages(cursor, start_after):
                yield page
        finally:
            await self._forget_ahead()

    async def _pages(self, cursor: str | None, start_after: str | None) -> AsyncGenerator[Page]:
        last_key = start_after
        resumed = True
        while True:
            resumed = resumed or cursor is None
            response = await self._listed(cursor, last_key)
            found: list[str] = response.get(KEYS) or [entry["Key"] for entry in response.get("Contents", ())]
            keys = _after(found, last_key) if resumed else found
            self._check_order(keys, last_key)
            last_key = keys[-1] if keys else last_key
            cursor = response.get("NextContinuationToken")
            ended = self.job.end_at is not None and bool(keys) and keys[-1] >= self.job.end_at
            is_last = ended or not response.get("IsTruncated", False)
            if not is_last and cursor is None and not keys:
                raise RetryableError("S3 says that the listing goes on, but gives neither a key nor a token")
            yield Page(self._taken(keys), len(found), None if is_last else cursor, last_key, is_last)
            if is_last:
                return
            resumed = not keys  # a token may lie more than a page before the last key

    def _taken(self, keys: list[str]) -> list[str]:
        """Apply suffix, excluded prefixes and ``end_at``."""
        suffix, excluded, end_at = self._suffix, self._excluded, self.job.end_at
        if suffix:
            keys = [key for key in keys if key.lower().endswith(suffix)]
        if excluded:
            keys = [key for key in keys if not key.startswith(excluded)]
        if end_at is not None:
            keys = [key for key in keys if key <= end_at]
        return keys

    def _check_order(self, keys: list[str], last_key: str | None) -> None:
        """Refuse a server that lists out of UTF-8 order (directory buckets do): "every key once" stands on it."""
        in_order = all(map(lt, keys, keys[1:])) and (not keys or last_key is None or keys[0] > last_key)
        if not in_order:
            raise SourceRefusedError(f"s3://{self.job.bucket} is not listed in key order; directory buckets are not")

    async def _ask_ahead(self, response_dict: dict[str, Any], **_: object) -> None:
        """
        Send the request for the next page before this one is parsed (handler of botocore's ``EVENT``).

        The chain then waits for S3 alone. Only a page that is waited for asks for the next, so there is never more than
        one ahead; a range that ends early is not asked beyond.
        """
        token = next_token(response_dict) if self._awaited and self.job.end_at is None else None
        if token is not None and self._ahead is None:  # a try of this page before may have asked
            self._ahead = token, asyncio.create_task(self._list(token, None))
            await asyncio.sleep(0)  # lets the request go out

    async def _listed(self, cursor: str | None, last_key: str | None) -> dict[str, Any]:
        """Return a page's response: the one that was asked for ahead, or a new one."""
        if self._ahead is not None and self._ahead[0] != cursor:
            await self._forget_ahead()
        ahead, self._ahead, self._awaited = self._ahead, None, True
        try:
            return await (self._list(cursor, last_key) if ahead is None else ahead[1])
        except CursorRefusedError:
            if ahead is None or last_key is None:
                raise
            return await self._list(None, last_key)
        finally:
            self._awaited = False

    async def _forget_ahead(self) -> None:
        """Stop the request that was sent ahead: nothing may outlive the client."""
        if self._ahead is not None:
            self._ahead[1].cancel()
            await asyncio.gather(self._ahead[1], return_exceptions=True)
            self._ahead = None

    async def _list(self, cursor: str | None, start_after: str | None) -> dict[str, Any]:
        request = _Request(Bucket=self.job.bucket, Prefix=self.job.prefix, MaxKeys=self.job.page_size)
        if cursor is not None:
            request["ContinuationToken"] = cursor
        elif start_after:
            request["StartAfter"] = start_after
        try:
            return dict(await self.client.list_objects_v2(**request))
        except ClientError as error:
            if cursor is None or error_code(error) not in _REFUSED_TOKEN_CODES:
                raise from_client_error(error, f"list s3://{self.job.bucket}/{self.job.prefix}") from error
            if start_after is None:
                raise CursorRefusedError(
                    "S3 refuses the cursor: it is no continuation token of this listing"
                ) from error
        except BotoCoreError as error:
            raise RetryableError(f"cannot list s3://{self.job.bucket}: {type(error).__name__}") from error
        return await self._list(None, start_after)


def overlap(first: str, second: str) -> bool:
    """Tell whether one of two prefixes begins with the other."""
    return first.startswith(second) or second.startswith(first)


def _after(keys: list[str], last_key: str | None) -> list[str]:
    """
    Drop what ``start_after`` excludes: S3 ignores it beside a token, some servers always.

    UTF-8 order, S3's, is Python's order of code points.
    """
    if last_key is None or not keys or keys[0] > last_key:
        return keys
    return [key for key in keys if key > last_key]


class ReadAhead:
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
        self._task = asyncio.create_task(self._fetch())
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

    async def _fetch(self) -> None:
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
