"""Fetch presigned URLs, many at once, and say what came; no URL is in any message."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self, TypeVar

import aiohttp
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.5
PIECE = 1 << 16
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_MD5_DIGITS = 32


class FetchError(Exception):
    """
    The object did not come; the message says why.

    :param passing: Whether it may come at another try.
    """

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True, slots=True)
class Got:
    """
    An object that came.

    :param size: Bytes; as many as announced.
    :param etag: As S3 gave it, without quotes.
    :param md5:  Of the bytes.
    :param is_md5: Whether the ETag is the MD5 of the bytes: that of multipart uploads and of KMS keys is not.
    """

    size: int
    etag: str
    md5: str
    is_md5: bool

    @property
    def is_whole(self) -> bool:
        """Whether the bytes are the object's, as far as its ETag tells."""
        return not self.is_md5 or self.md5 == self.etag


class Fetcher:
    """
    An HTTP client for presigned URLs: each is sent as it stands, and no redirect is followed.

    :param concurrency: Connections at once.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open it."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            timeout=_TIMEOUT,
            auto_decompress=False,  # the object's own bytes, whatever its Content-Encoding says
            trust_env=True,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._session.close()

    async def get(self, url: str, take: Callable[[bytes], Awaitable[object]] | None = None) -> Got:
        """
        Fetch an object.

        :param take: Awaited with each piece.
        :raises FetchError: It did not come, or not whole.
        """
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            async with self._session.get(URL(url, encoded=True), allow_redirects=False) as response:
                _refuse(response, HTTPStatus.OK)
                async for piece in response.content.iter_chunked(PIECE):
                    digest.update(piece)
                    size += len(piece)
                    if take is not None:
                        await take(piece)
                announced = response.content_length
                etag, encrypted = response.headers.get("ETag", "").strip('"'), _is_encrypted(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FetchError(f"the connection failed: {type(error).__name__}", passing=True) from None
        if announced is not None and announced != size:
            raise FetchError(f"{size:,} of {announced:,} bytes came", passing=True)
        got = Got(size, etag, digest.hexdigest(), len(etag) == _MD5_DIGITS and not encrypted)
        if not got.is_whole:
            raise FetchError("the bytes are not those that the ETag tells", passing=True)
        return got

    async def size(self, url: str) -> int:
        """
        Ask how large an object is: a presigned GET allows no HEAD, so its first byte is asked for.

        :raises FetchError: It does not answer so.
        """
        try:
            async with self._session.get(
                URL(url, encoded=True), allow_redirects=False, headers={"Range": "bytes=0-0"}
            ) as response:
                if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    return 0
                _refuse(response, HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
                total = response.headers.get("Content-Range", "").rpartition("/")[2]
                return int(total) if total.isdigit() else int(response.content_length or 0)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FetchError(f"the connection failed: {type(error).__name__}", passing=True) from None


def _refuse(response: aiohttp.ClientResponse, *expected: HTTPStatus) -> None:
    if response.status in expected:
        return
    passing = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.status == HTTPStatus.TOO_MANY_REQUESTS
    raise FetchError(f"HTTP {response.status}", passing=passing)


def _is_encrypted(response: aiohttp.ClientResponse) -> bool:
    """Whether the object's ETag is not the MD5 of its bytes because of how it is encrypted (S3, Common headers)."""
    sse = response.headers.get("x-amz-server-side-encryption", "")
    return sse.startswith("aws:kms") or "x-amz-server-side-encryption-customer-algorithm" in response.headers


async def again(attempt: Callable[[], Awaitable[T]], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> T:
    """
    Try some times, with a growing wait, while the fault is a passing one.

    :raises FetchError: The last one.
    """
    for number in range(ATTEMPTS):
        try:
            return await attempt()
        except FetchError as error:
            if not error.passing or number == ATTEMPTS - 1:
                raise
            await sleep(FIRST_WAIT_SECONDS * 2**number)
    raise AssertionError("unreachable")
