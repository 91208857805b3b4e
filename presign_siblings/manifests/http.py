"""Fetch presigned URLs, many at once; no URL is in any message."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from presign_siblings import connections
from presign_siblings.manifests.checksums import Checksums, etag_of, may_be_md5
from presign_siblings.manifests.refusals import READ_BYTES, refusal
from processor.causes import why

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

T = TypeVar("T")
ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.5
PIECE = 1 << 16
CONNECTION = "no connection"
CUT = "cut off"
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)


class FetchError(Exception):
    """
    The object could not be fetched; the message says why.

    :param code:    S3's own, or a word for what kept it away: the same for the same cause.
    :param passing: Whether it may come at another try.
    """

    def __init__(self, message: str, *, code: str, passing: bool) -> None:
        super().__init__(message)
        self.code, self.passing = code, passing


@dataclass(frozen=True, slots=True)
class Told:
    """
    What an answer tells of its object.

    :param size:   Bytes.
    :param etag:   As S3 gave it, without quotes.
    :param is_md5: Whether the ETag looks like the MD5 of the bytes.
    """

    size: int
    etag: str
    is_md5: bool


@dataclass(frozen=True, slots=True)
class Got(Told):
    """
    An object that came, as many bytes as announced.

    :param md5:    Of the bytes.
    :param agrees: Whether the bytes have the checksums that the answer told; ``None`` where it told none.
    """

    md5: str
    agrees: bool | None

    @property
    def is_proven(self) -> bool | None:
        """Whether a checksum tells that the bytes are the object's, or are not; ``None`` where there is none."""
        if self.agrees is not None:
            return self.agrees
        return self.md5 == self.etag if self.is_md5 else None


class Fetcher:
    """
    An HTTP client for presigned URLs: it sends each URL unchanged, and follows no redirect.

    :param concurrency: Connections at once.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        """Open the client."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency, ssl=connections.tls()),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity"},
            timeout=_TIMEOUT,
            auto_decompress=False,  # the object's own bytes, whatever the Content-Encoding is
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self._session.close()

    async def get(self, url: str, take: Callable[[bytes], Awaitable[object]] | None = None) -> Got:
        """
        Fetch an object.

        :param take: Awaited with each piece.
        :raises FetchError: The object did not come, or did not come whole.
        """
        size = 0
        async with self._opened(url, {}, HTTPStatus.OK) as response:
            headers, announced = response.headers, response.content_length
            checksums = Checksums(headers)
            async for piece in response.content.iter_chunked(PIECE):
                checksums.update(piece)
                size += len(piece)
                if take is not None:
                    await take(piece)
        if announced is not None and announced != size:
            raise FetchError(f"{size:,} of {announced:,} bytes came", code=CUT, passing=True)
        return Got(size, etag_of(headers), may_be_md5(headers), checksums.md5, checksums.agree())

    async def told(self, url: str) -> Told:
        """
        Ask what an object is: a presigned GET allows no HEAD, so its first byte is asked for.

        :raises FetchError: The answer does not say the size.
        """
        expected = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        async with self._opened(url, {"Range": "bytes=0-0"}, *expected) as response:
            headers = response.headers
            total = headers.get("Content-Range", "").rpartition("/")[2]
            size = int(total) if total.isdigit() else int(response.content_length or 0)
            if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return Told(0, "", is_md5=False)  # what it tells besides is of the error
            return Told(size, etag_of(headers), may_be_md5(headers))

    @asynccontextmanager
    async def _opened(
        self, url: str, headers: dict[str, str], *expected: HTTPStatus
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open a URL; what is stored compressed comes as it is stored, from Google's XML interface too."""
        try:
            async with self._asked(url, headers) as response:
                await _refuse(response, *expected)
                if not _is_unpacked(response):
                    yield response
                    return
            async with self._asked(url, headers | {"Accept-Encoding": "gzip"}) as response:
                await _refuse(response, *expected)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            message = f"{CONNECTION}, or it broke: {why(error)}"
            raise FetchError(message, code=CONNECTION, passing=True) from None

    def _asked(self, url: str, headers: dict[str, str]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._session.get(URL(url, encoded=True), allow_redirects=False, headers=headers, proxy=_proxy(url))


def _proxy(url: str) -> str | None:
    """Return the environment's proxy for a URL; aiohttp's own look there also sends what ~/.netrc has for the host."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _is_unpacked(response: aiohttp.ClientResponse) -> bool:
    """Whether the server has unpacked what is stored, for a client that asks for no encoding."""
    stored = response.headers.get("x-goog-stored-content-encoding", "identity")
    return stored != "identity" and "Content-Encoding" not in response.headers


async def _refuse(response: aiohttp.ClientResponse, *expected: HTTPStatus) -> None:
    if response.status not in expected:
        told = refusal(response.status, response.headers, await response.content.read(READ_BYTES))
        raise FetchError(told.message, code=told.code, passing=told.passing)


async def again(attempt: Callable[[], Awaitable[T]], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> T:
    """
    Try several times, with a growing wait, while the fault may pass.

    :raises FetchError: The last fault.
    """
    for number in range(ATTEMPTS):
        try:
            return await attempt()
        except FetchError as error:
            if not error.passing or number == ATTEMPTS - 1:
                raise
            await sleep(FIRST_WAIT_SECONDS * 2**number)
    raise AssertionError("unreachable")
