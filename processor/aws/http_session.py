"""aiobotocore's HTTP session, with what boto3's session does and aiohttp's does not."""

from __future__ import annotations

import asyncio
import functools
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiobotocore.httpsession import AIOHTTPSession
from botocore.httpsession import create_urllib3_context, get_cert_path
from yarl import URL

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

_BEGINNING = 4096  # bytes of an answer that are told ahead: S3 writes all but the objects of a page in the first 1,000
_READ_BYTES = 256 << 10  # of an answer in aiohttp's buffer: a page of 1,000 keys comes without a pause


@dataclass(frozen=True, slots=True)
class _Straight:
    """
    aiohttp's session, without its redirects, and without its endless wait for a server that takes no more of a body.

    aiohttp would send a signed request, with the session's token, wherever an answer points, and a PUT as a GET. Its
    own read timeout begins once the whole body is sent.

    :param seconds: Longest wait for a connection, for room while a request is sent, and until its answer begins.
    :param ca_bundle: Certificates; read when a first host is reached by https.
    """

    session: aiohttp.ClientSession
    seconds: float
    ca_bundle: str

    async def request(self, method: str, **more: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - aiohttp's
        """Send a request; where S3 says that a bucket lies elsewhere, that is the answer."""
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(None) as waiting:

            def moved() -> None:
                with suppress(RuntimeError):  # the answer came before the end of the body
                    waiting.reschedule(clock() + self.seconds)

            more |= {"allow_redirects": False, "read_bufsize": _READ_BYTES, "trace_request_ctx": moved}
            if more["url"].scheme == "https" or (more.get("proxy") or "").lower().startswith("https:"):
                more["ssl"] = _tls(self.ca_bundle)
            answer = await self.session.request(method, **more)
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            await answer.read()  # aiobotocore reads a refused GetObject's later, where botocore tries nothing again
        return answer


async def _moved(_: object, context: Any, __: object) -> None:  # noqa: ANN401 - aiohttp's
    context.trace_request_ctx()


def _watch() -> aiohttp.TraceConfig:
    """Return what tells a request that it moves on."""
    traced = aiohttp.TraceConfig()
    traced.on_connection_create_start.append(_moved)  # nor does aiohttp wait for a proxy with a timeout
    traced.on_request_headers_sent.append(_moved)
    traced.on_request_chunk_sent.append(_moved)
    traced.freeze()
    return traced


_WATCH = _watch()


class HttpSession(AIOHTTPSession):
    """
    aiobotocore's HTTP session, which follows no redirect, as boto3's does not.

    The CA bundle is parsed once a process, when it is needed; parsing takes 20 ms for each client.

    ``date`` is the server's, of the latest answer to ``get``.
    """

    date: str | None = None

    async def get(
        self: Any, url: str, headers: Mapping[str, str], begun: Callable[[int, bytes], Awaitable[None]]
    ) -> tuple[int, bytes]:
        """
        Send a GET as ``send`` does, and wait for the answer, without its conversions of headers.

        :param url:   Percent-encoded.
        :param begun: Called with the status and the first bytes of the body, before the rest has come.
        :return: Status and body.
        :raises aiohttp.ClientError: There was no answer, or it broke off.
        :raises TimeoutError: There was none in time.
        """
        proxy = self._proxy_config.proxy_url_for(url.partition("?")[0])
        session = await self._get_session(proxy)
        headers = {**headers, "accept-encoding": "identity"}
        async with await session.request("GET", url=URL(url, encoded=True), headers=headers, proxy=proxy) as answer:
            self.date = answer.headers.get("Date")
            first = b""
            while len(first) < _BEGINNING and not answer.content.at_eof():
                first += await answer.content.readany()
            await begun(answer.status, first)
            return answer.status, first + await answer.read()

    async def _get_session(self: Any, proxy_url: str | None) -> Any:  # noqa: ANN401 - none of it is in the stubs
        session = await super()._get_session(proxy_url)  # type: ignore[misc]
        if _WATCH not in session.trace_configs:  # those of a monitoring layer may be there
            session.trace_configs.append(_WATCH)
        # botocore takes any certificate where AWS_CA_BUNDLE or REQUESTS_CA_BUNDLE is empty.
        ca_bundle: Any = get_cert_path(self._verify or True)
        return _Straight(session, self._timeout.sock_read, ca_bundle)

    def _create_connector(self: Any, _proxy_url: str | None) -> Any:  # noqa: ANN401 - none of it is in the stubs
        return aiohttp.TCPConnector(limit=self._max_pool_connections, **self._connector_args)


@functools.cache
def _tls(ca_bundle: str) -> ssl.SSLContext:
    """
    Return the TLS settings that botocore makes, with the certificates of a bundle, and with the host's name compared.

    botocore leaves the name to urllib3, and aiobotocore has none: it would take any certificate of any host for S3's.

    :param ca_bundle: A file, or a folder whose files OpenSSL finds by their hashes.
    """
    context: ssl.SSLContext = create_urllib3_context()
    context.check_hostname = True
    is_folder = Path(ca_bundle).is_dir()
    context.load_verify_locations(None if is_folder else ca_bundle, ca_bundle if is_folder else None)
    return context
