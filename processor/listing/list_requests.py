"""List requests to S3: an answer that contradicts itself is asked for again, a refusal becomes one of our errors."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from processor.answers import NOT_NOW
from processor.errors import CursorRefusedError, RetryableError, cause_code, from_client_error
from processor.listing.client_events import replace_handler
from processor.listing.listed import Listed, keys_after, read, read_versions, versions_marker
from processor.listing.page_parser import EVENT, URL, take_keys
from processor.listing.repeated_list import RepeatedList
from processor.listing.version_parser import VERSIONS_EVENT, take_versions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job

RETRY = "needs-retry.s3.ListObjectsV2"
VERSIONS_RETRY = "needs-retry.s3.ListObjectVersions"
_TRIES = 3  # of a request whose answers contradict themselves
_REFUSED_TOKEN_CODES = frozenset({"InvalidArgument", "InvalidToken"})


class _Request(TypedDict):
    """A request of ListObjectsV2, or of ListObjectVersions, which has other names for a place."""

    Bucket: str
    Prefix: str
    MaxKeys: int
    EncodingType: Literal["url"]
    OptionalObjectAttributes: NotRequired[list[Literal["RestoreStatus"]]]
    ContinuationToken: NotRequired[str]
    StartAfter: NotRequired[str]
    KeyMarker: NotRequired[str]
    VersionIdMarker: NotRequired[str]


class ListRequests:
    """
    Sends a job's list requests.

    ``count`` is how many; ``on_slow`` is called for each answer that asks to slow down.

    :param client:   S3 client; ``take_keys`` is registered on it.
    :param facts:    Facts of each object to read, in the order of a row.
    :param on_page:  Handler of botocore's ``EVENT``: called with each page before it is parsed.
    """

    def __init__(
        self, client: S3Client, job: Job, facts: Sequence[str], on_page: Callable[..., Awaitable[None]]
    ) -> None:
        self._client, self._facts = client, facts
        self._asks_restored: bool | None = None  # ``None`` until a page has archived objects
        self._has_continued = False  # the server has said of a page that it is not the last
        self.count = 0
        self.on_slow: Callable[[], None] = _ignore
        self._repeated = RepeatedList(client, self._note_retry, on_page)
        replace_handler(client, EVENT, on_page, "presign-ask-ahead", first=True)
        replace_handler(client, EVENT, take_keys, "presign-take-keys")
        replace_handler(client, RETRY, self._note_retry, "presign-note-retry")
        if job.version_ids:
            replace_handler(client, VERSIONS_EVENT, take_versions, "presign-take-versions")
            replace_handler(client, VERSIONS_RETRY, self._note_retry, "presign-note-versions-retry")

    async def send(self, job: Job, cursor: str | None, start_after: str | None) -> Listed:
        """
        List one page from a place on; of a job with versions, of all versions of its keys.

        :param cursor:      Continuation token, preferred.
        :param start_after: Key to start after, in place of a token that S3 refuses.
        :raises SourceRefusedError: The bucket is gone or access is denied.
        :raises CursorRefusedError: The token is refused and there is no key.
        :raises RetryableError: A fault outlived botocore's retries.
        """
        self.count += 1
        if job.version_ids:
            return await self._list_versions(job, start_after)
        request = self._begun(job)
        if cursor is not None:
            request["ContinuationToken"] = cursor
            self._has_continued = True  # the page that gave the token was not the last
        elif start_after:
            request["StartAfter"] = start_after
        try:
            return await self._asked(self._list_objects, request, read)
        except (ClientError, BotoCoreError) as error:
            if cursor is None or cause_code(error) not in _REFUSED_TOKEN_CODES:
                raise from_client_error(error, f"list s3://{job.bucket}/{job.prefix}") from error
            if start_after is None:
                place = f"s3://{job.bucket}/{job.prefix}"
                raise CursorRefusedError(
                    f"S3 refuses the cursor: it is not a continuation token of {place}; use start_after"
                ) from error
        return await self.send(job, None, start_after)

    def _begun(self, job: Job) -> _Request:
        """Return a request without a place."""
        # The encoding is stated: botocore would decode ``url`` itself, and turn bytes that are not UTF-8 into U+FFFD.
        request = _Request(Bucket=job.bucket, Prefix=job.prefix, MaxKeys=job.page_size, EncodingType=URL)
        if self._asks_restored:
            request["OptionalObjectAttributes"] = ["RestoreStatus"]
        return request

    async def _list_versions(self, job: Job, start_after: str | None) -> Listed:
        """
        List all versions of the keys after a key; a server may begin with older versions of that key itself.

        :raises SourceRefusedError: The bucket is gone or access is denied.
        """
        request = self._begun(job)
        if start_after:
            request["KeyMarker"] = start_after
        while True:
            try:
                found = await self._asked(self._client.list_object_versions, request, read_versions)
            except (ClientError, BotoCoreError) as error:
                raise from_client_error(error, f"list the versions in s3://{job.bucket}/{job.prefix}") from error
            keys, marker = keys_after(found.keys, start_after), found.cursor
            asked = versions_marker(request.get("KeyMarker", ""), request.get("VersionIdMarker", ""))
            if keys or found.unsignable or marker is None or marker == asked:
                return replace(found, keys=keys, cursor=None)
            # A server that begins with older versions of the marker's own key.
            request["VersionIdMarker"], _, request["KeyMarker"] = marker.partition("\n")
            self.count += 1

    async def _list_objects(self, **request: Any) -> Any:  # noqa: ANN401 - botocore's answer
        """Repeat the request before with another place; where that fails, let botocore send it."""
        found: Any = await self._repeated.ask(request)
        if found is None:
            found = await self._client.list_objects_v2(**request)
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

        :raises RetryableError: Each answer contradicts itself.
        """
        for _ in range(_TRIES - 1):
            with suppress(RetryableError):
                return await self._one_answer(operation, request, reading)
        return await self._one_answer(operation, request, reading)

    async def _one_answer(self, operation: Any, request: Any, reading: Any) -> Listed:  # noqa: ANN401 - as above
        try:
            found: Listed = reading(await operation(**request), self._facts)
        except (ValueError, KeyError) as error:  # a number or a date that cannot be read, an object without its key
            place = f"s3://{request['Bucket']}"
            raise RetryableError(f"an answer to the list of {place} cannot be read: {error}") from error
        self._has_continued = self._has_continued or bool(found.truncated or found.cursor)
        # Some servers cut each list at as many keys as were asked for, and call that its end.
        is_full = found.truncated is False and found.size >= request["MaxKeys"]
        return replace(found, truncated=None) if is_full and not self._has_continued else found

    def _note_retry(self, response: tuple[Any, Any] | None = None, **_: object) -> None:
        """Note each answer before botocore decides on a retry (handler of its ``needs-retry``); decide nothing."""
        if response is None or response[0].status_code in NOT_NOW:
            self.on_slow()


def _ignore() -> None:
    """Do nothing."""
