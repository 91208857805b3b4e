"""List requests to S3, and the pages of keys that they bring."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from processor.answers import NOT_NOW
from processor.errors import (
    ArchivedError,
    CursorRefusedError,
    RetryableError,
    SourceRefusedError,
    cause_code,
    from_client_error,
    shown,
)
from processor.job import ARCHIVED_FAIL, ARCHIVED_SKIP
from processor.listing.choice import Choice
from processor.listing.client_events import hear
from processor.listing.listed import Listed, check_order, read, read_versions, versions_marker
from processor.listing.page_parser import EVENT, URL, next_token, take_keys
from processor.listing.repeated_list import RepeatedList
from processor.listing.version_parser import VERSIONS_EVENT, take_versions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job
    from processor.listing.facts import Row

ARCHIVED_KEYS = "archived"  # why keys were left out
RETRY = "needs-retry.s3.ListObjectsV2"
VERSIONS_RETRY = "needs-retry.s3.ListObjectVersions"
_TRIES = 3  # of a request whose answers contradict themselves
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
    :param unsignable: Keys that the job takes and that nobody can sign, each with the reason.
    :param archived: How many keys that the job takes are archived.
    :param skipped:  How many keys were left out, by reason.
    :param facts:    What the job asks for besides, by key: each row begins with the job's ``fields``.
    """

    keys: list[str]
    listed: int
    cursor: str | None
    last_key: str | None
    is_last: bool
    unsignable: tuple[tuple[str, str], ...] = ()
    archived: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Row] = field(default_factory=dict)


class _Request(TypedDict):
    Bucket: str
    Prefix: str
    MaxKeys: int
    EncodingType: Literal["url"]
    OptionalObjectAttributes: NotRequired[list[Literal["RestoreStatus"]]]
    ContinuationToken: NotRequired[str]
    StartAfter: NotRequired[str]


class _VersionsRequest(TypedDict):
    Bucket: str
    Prefix: str
    MaxKeys: int
    EncodingType: Literal["url"]
    OptionalObjectAttributes: NotRequired[list[Literal["RestoreStatus"]]]
    KeyMarker: NotRequired[str]
    VersionIdMarker: NotRequired[str]


class Lister:
    """
    ListObjectsV2 requests: one sequential chain of them, or single ones from any place.

    ``requests`` counts them; ``on_slow`` hears of each answer that asks to slow down.

    :param client:   S3 client; ``take_keys`` is registered on it.
    :param job:      What to list.
    :param excluded: Prefixes whose keys are never taken: they hold manifests.
    :param last_started: When the job's last complete run began.
    :param allowed:  Prefixes of which a key that is not listed must have one; ``None`` allows every key.
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
        self._excluded, self._last_started, self.allowed = excluded, last_started, allowed
        self._choice = Choice(job, excluded, last_started)
        self._ahead: tuple[str, asyncio.Task[Listed]] | None = None
        self._awaited = self._asks_ahead = False
        self._asks_restored: bool | None = None  # until a page has archived objects
        self.requests = 0
        self.on_slow: Callable[[], None] = _ignore
        self._repeated = RepeatedList(client, self._hear_retry, self._ask_ahead)
        hear(client, EVENT, self._ask_ahead, "presign-ask-ahead", first=True)
        hear(client, EVENT, take_keys, "presign-take-keys")
        hear(client, RETRY, self._hear_retry, "presign-hear-retry")
        if job.version_ids:
            hear(client, VERSIONS_EVENT, take_versions, "presign-take-versions")
            hear(client, VERSIONS_RETRY, self._hear_retry, "presign-hear-versions-retry")

    def turn_to(self, prefix: str) -> None:
        """List another prefix from now on."""
        self.job = replace(self.job, prefix=prefix)
        self._choice = Choice(self.job, self._excluded, self._last_started)

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts of each object that a page must tell, in the order of a row."""
        return self._choice.facts

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
        last_key, resumed, passed, before = start_after, True, set[str](), ""
        while True:
            resumed = resumed or cursor is None
            found = await self._listed(cursor, last_key)
            before = _moved(found.keys, before, self.job.bucket) if cursor is not None else before
            keys = _after(found.keys, last_key) if resumed else found.keys
            check_order(keys, last_key, self.job.bucket, self.job.prefix)
            last_key = keys[-1] if keys else last_key
            ended = self.job.end_at is not None and bool(keys) and keys[-1] >= self.job.end_at
            # A server that ignores ``StartAfter`` and does not say where it ends gives the same keys for ever.
            is_last = ended or not found.goes_on or (found.truncated is None and not found.cursor and not keys)
            cursor = None if is_last else found.cursor
            self._check_progress(keys, cursor, passed, is_last=is_last)
            unsignable = found.unsignable[: len(found.unsignable) - (0 if is_last or cursor else found.tail)]
            page = Page(keys, len(found.keys), cursor, last_key, is_last, facts=found.facts)
            yield self.made(page, found.archived, unsignable)
            if is_last:
                return
            resumed = not keys  # a token may lie more than a page before the last key

    def _check_progress(self, keys: list[str], cursor: str | None, passed: set[str], *, is_last: bool) -> None:
        """
        Refuse a listing that says that it continues, and does not.

        :param passed: Tokens since the last key; the new one is added.
        """
        if keys:
            passed.clear()
        if is_last:
            return
        if cursor is None and not keys:
            raise RetryableError("S3 says that the listing continues, but gives neither a key nor a token")
        if cursor in passed:
            raise RetryableError("S3 says that the listing continues, but gives no key, and the same token again")
        if cursor is not None:
            passed.add(cursor)

    async def fetch(self, after: str) -> Listed:
        """
        List one page from any place.

        :param after: Key to start after, of an object or not; ``""`` is the beginning.
        :return: The answer, checked. Unsignable keys behind its last key come again with the next page from there.
        :raises SourceRefusedError: The bucket is gone, access is denied, or the page is not in key order.
        :raises RetryableError: A fault outlived botocore's retries.
        """
        found = await self._list(None, after)
        check_order(found.keys, None, self.job.bucket, self.job.prefix)
        kept = len(found.unsignable) - (found.tail if found.goes_on else 0)
        return replace(found, unsignable=found.unsignable[:kept])

    def page(
        self,
        keys: Sequence[str],
        is_last: bool,  # noqa: FBT001 - as the ranges tell it
        front: str,
        found: Listed,
        unsignable: Sequence[tuple[str, str]] = (),
    ) -> Page:
        """
        Make a page of keys that are next in order.

        :param is_last: Whether the listing ends with them.
        :param front:   Up to where it is known now.
        :param found:   The answer that they come from.
        """
        end_at = self.job.end_at
        ended = is_last or (end_at is not None and bool(keys) and keys[-1] >= end_at)
        page = Page(list(keys), len(keys), None, front or None, ended, facts=found.facts)
        return self.made(page, found.archived, unsignable)

    def made(self, page: Page, archived: Collection[str], unsignable: Sequence[tuple[str, str]]) -> Page:
        """
        Choose the keys of a page that the job takes, and count the others that it would have taken.

        :param archived:   Keys that cannot be read at once.
        :param unsignable: Keys that nobody can sign, each with the reason.
        :raises ArchivedError: The job is to fail where one is archived.
        """
        keys, skipped = self._choice.of(page.keys, page.facts)
        unsignable = tuple((key, reason) for key, reason in unsignable if self._choice.names([key]))
        cold = [key for key in keys if key in archived] if archived else []
        if cold and self.job.archived == ARCHIVED_FAIL:
            raise ArchivedError(
                f"{shown(cold[0])} is archived, and the job says archived: {ARCHIVED_FAIL}; restore it first"
            )
        if cold and self.job.archived == ARCHIVED_SKIP:
            keys = [key for key in keys if key not in archived]
            skipped[ARCHIVED_KEYS] = len(cold)
        return replace(page, keys=keys, unsignable=unsignable, archived=len(cold), skipped=skipped)

    def _hear_retry(self, response: tuple[Any, Any] | None = None, **_: object) -> None:
        """Hear each answer before botocore decides on a retry (handler of its ``needs-retry``); decide nothing."""
        if response is None or response[0].status_code in NOT_NOW:
            self.on_slow()

    async def _ask_ahead(self, response_dict: dict[str, Any], **_: object) -> None:
        """
        Send the request for the next page before this one is parsed (handler of botocore's ``EVENT``, too).

        The chain then waits for S3 alone. Only a page that is waited for asks for the next, so there is never more than
        one ahead; a range that ends early is not asked beyond.
        """
        token = next_token(response_dict) if self._awaited and self._asks_ahead else None
        if token is not None and self._ahead is None:  # a try of this page before may have asked
            self._ahead = token, asyncio.create_task(self._list(token, None))
            await asyncio.sleep(0)  # lets the request go out

    async def _listed(self, cursor: str | None, last_key: str | None) -> Listed:
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

    async def _list(self, cursor: str | None, start_after: str | None) -> Listed:
        self.requests += 1
        job = self.job
        if job.version_ids:
            return await self._list_versions(start_after)
        # Stated, since botocore would read ``url`` into characters by itself, and bytes that are none into U+FFFD.
        request = _Request(Bucket=job.bucket, Prefix=job.prefix, MaxKeys=job.page_size, EncodingType=URL)
        if self._asks_restored:
            request["OptionalObjectAttributes"] = ["RestoreStatus"]
        if cursor is not None:
            request["ContinuationToken"] = cursor
        elif start_after:
            request["StartAfter"] = start_after
        try:
            return await self._read(request)
        except (ClientError, BotoCoreError) as error:
            if cursor is None or cause_code(error) not in _REFUSED_TOKEN_CODES:
                raise from_client_error(error, f"list s3://{job.bucket}/{job.prefix}") from error
            if start_after is None:
                raise CursorRefusedError(
                    "S3 refuses the cursor: it is no continuation token of this listing"
                ) from error
        return await self._list(None, start_after)

    async def _list_versions(self, start_after: str | None) -> Listed:
        """
        List what there is of each key behind another, whatever its versions: a key stands at the marker or behind it.

        :raises SourceRefusedError: The bucket is gone or access is denied.
        """
        job = self.job
        request = _VersionsRequest(Bucket=job.bucket, Prefix=job.prefix, MaxKeys=job.page_size, EncodingType=URL)
        if self._asks_restored:
            request["OptionalObjectAttributes"] = ["RestoreStatus"]
        if start_after:
            request["KeyMarker"] = start_after
        while True:
            try:
                found = await self._asked(self.client.list_object_versions, request, read_versions)
            except (ClientError, BotoCoreError) as error:
                raise from_client_error(error, f"list the versions in s3://{job.bucket}/{job.prefix}") from error
            keys, marker = _after(found.keys, start_after), found.cursor
            if keys or found.unsignable or marker is None or marker == versions_marker(request):
                return replace(found, keys=keys, cursor=None)
            # A server that begins with older versions of the marker's own key.
            request["VersionIdMarker"], _, request["KeyMarker"] = marker.partition("\n")
            self.requests += 1

    async def _read(self, request: _Request) -> Listed:
        return await self._asked(self._list_objects, request, read)

    async def _list_objects(self, **request: Any) -> Any:  # noqa: ANN401 - botocore's answer
        """Send a request as the one before it was sent, and the usual way where that does not do."""
        found: Any = await self._repeated.ask(request)
        if found is None:
            found = await self.client.list_objects_v2(**request)
            await self._repeated.learn(request)
        return found

    async def _asked(self, operation: Any, request: Any, reading: Any) -> Listed:  # noqa: ANN401 - of two operations
        """Send a request; one that finds archived objects is sent once more, and asks which of them are restored."""
        found = await self._answer(operation, request, reading)
        if not found.archived or self._asks_restored is not None:
            return found
        try:
            again = await self._answer(operation, {**request, "OptionalObjectAttributes": ["RestoreStatus"]}, reading)
        except ClientError:  # a store that does not know the header
            self._asks_restored = False
            return found
        self._asks_restored = True
        return again

    async def _answer(self, operation: Any, request: Any, reading: Any) -> Listed:  # noqa: ANN401 - of two operations
        """
        Send a request, and once more while its answer contradicts itself.

        :raises RetryableError: Each of its answers did.
        """
        for left in reversed(range(_TRIES)):
            try:
                found: Listed = reading(await operation(**request), self._choice.facts)
            except (ValueError, KeyError) as error:  # a number or a date that is none, an object without its key
                fault = RetryableError(f"an answer to the list of s3://{self.job.bucket} cannot be read: {error}")
            except RetryableError as error:
                fault = error
            else:
                return found
            if not left:
                raise fault
        raise AssertionError("unreachable")


def _moved(keys: list[str], before: str, bucket: str) -> str:
    """
    Return the last key of a page that a token brought: a chain may begin far before its last key, and continues to it.

    :param before: Last key of the page before it.
    :raises SourceRefusedError: The page begins again: the server would for ever.
    """
    if keys and keys[0] <= before:
        raise SourceRefusedError(
            f"s3://{bucket} lists {shown(keys[0])} again behind {shown(before)}: the server does not continue where "
            "its own token says"
        )
    return keys[-1] if keys else before


def _ignore() -> None:
    """Hear nothing."""


def _after(keys: list[str], last_key: str | None) -> list[str]:
    """
    Drop what ``start_after`` excludes: S3 ignores it beside a token, some servers always.

    UTF-8 order, S3's, is Python's order of code points.
    """
    if last_key is None or not keys or keys[0] > last_key:
        return keys
    return [key for key in keys if key > last_key]
