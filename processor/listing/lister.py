"""List requests to S3, and the pages of keys that they bring."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from operator import lt
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import CursorRefusedError, RetryableError, SourceRefusedError, error_code, from_client_error
from processor.listing.page_parser import EVENT, KEYS, next_token, take_keys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job

RETRY = "needs-retry.s3.ListObjectsV2"
_SLOW = frozenset({429, 500, 502, 503, 504})
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
    ListObjectsV2 requests: one sequential chain of them, or single ones from any place.

    ``requests`` counts them; ``on_slow`` hears of each answer that asks to slow down.

    :param client:   S3 client; ``take_keys`` is registered on it.
    :param job:      What to list.
    :param excluded: Prefixes whose keys are never taken: they hold manifests.
    """

    def __init__(self, client: S3Client, job: Job, excluded: tuple[str, ...]) -> None:
        self.client, self.job = client, job
        self._suffix = job.suffix.lower()
        self._excluded = tuple(prefix for prefix in excluded if overlap(prefix, job.prefix))
        self._ahead: tuple[str, asyncio.Task[dict[str, Any]]] | None = None
        self._awaited = self._asks_ahead = False
        self.requests = 0
        self.on_slow: Callable[[], None] = _ignore
        handler: Any = self._ask_ahead  # aiobotocore awaits it
        client.meta.events.register_first(EVENT, handler, unique_id="presign-ask-ahead")
        client.meta.events.register(EVENT, take_keys, unique_id="presign-take-keys")
        client.meta.events.register(RETRY, self._hear_retry, unique_id="presign-hear-retry")

    async def pages(
        self, cursor: str | None, start_after: str | None, *, ask_ahead: bool = True
    ) -> AsyncGenerator[Page]:
        """
        Yield the pages from a place on.

        :param cursor:      Continuation token, preferred.
        :param start_after: Last key listed: drops what a token would repeat, and stands in for a token that S3 refuses.
        :param ask_ahead:   Send the request for a page's next one before the page itself is parsed.
        :raises SourceRefusedError: The bucket is gone or access is denied.
        :raises CursorRefusedError: The token is refused and there is no last key.
        :raises RetryableError: A fault outlived botocore's retries.
        """
        self._asks_ahead = ask_ahead and self.job.end_at is None
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

    async def fetch(self, after: str) -> tuple[list[str], bool]:
        """
        List one page from any place.

        :param after: Key to start after, of an object or not; ``""`` is the beginning.
        :return: The keys, and whether the listing goes on behind them.
        :raises SourceRefusedError: The bucket is gone, access is denied, or the page is not in key order.
        :raises RetryableError: A fault outlived botocore's retries.
        """
        response = await self._list(None, after)
        keys: list[str] = response.get(KEYS) or [entry["Key"] for entry in response.get("Contents", ())]
        self._check_order(keys, None)
        return keys, bool(response.get("IsTruncated", False))

    def page(self, keys: Sequence[str], is_last: bool, front: str) -> Page:  # noqa: FBT001 - as the ranges tell it
        """
        Make a page of keys that are next in order.

        :param is_last: Whether the listing ends with them.
        :param front:   Up to where it is known now.
        """
        end_at = self.job.end_at
        ended = is_last or (end_at is not None and bool(keys) and keys[-1] >= end_at)
        return Page(self._taken(list(keys)), len(keys), None, front or None, ended)

    def _taken(self, keys: list[str]) -> list[str]:
        """Apply suffix, excluded prefixes and ``end_at``."""
        suffix, excluded, end_at = self._suffix, self._excluded, self.job.end_at
        if suffix:
            keys = [key for key in keys if key.endswith(suffix) or key.lower().endswith(suffix)]
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

    def _hear_retry(self, response: tuple[Any, Any] | None = None, **_: object) -> None:
        """Hear each answer before botocore decides on a retry (handler of its ``needs-retry``); decide nothing."""
        if response is None or response[0].status_code in _SLOW:
            self.on_slow()

    async def _ask_ahead(self, response_dict: dict[str, Any], **_: object) -> None:
        """
        Send the request for the next page before this one is parsed (handler of botocore's ``EVENT``).

        The chain then waits for S3 alone. Only a page that is waited for asks for the next, so there is never more than
        one ahead; a range that ends early is not asked beyond.
        """
        token = next_token(response_dict) if self._awaited and self._asks_ahead else None
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
        self.requests += 1
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
            raise from_client_error(error, f"list s3://{self.job.bucket}/{self.job.prefix}") from error
        return await self._list(None, start_after)


def _ignore() -> None:
    """Hear nothing."""


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
