"""The connections of the clients."""

from __future__ import annotations

import asyncio
import io
import selectors
import socket
import ssl
import time
from contextlib import suppress
from functools import partialmethod
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from yarl import URL

from processor.aws import clients, open_s3
from processor.aws.http_session import HttpSession
from processor.job import Reach
from tests.web import Answer, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BODY = bytes(16 << 20)


@pytest.mark.parametrize("bundle", [True, ""])
@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:3128"])
def test_certificates_are_verified_whatever_the_environment_says(proxy: str | None, bundle: Any) -> None:
    """
    Otherwise anybody on the network path could read and write.

    Aiobotocore 2.25 switches verification off behind a proxy, and botocore where ``AWS_CA_BUNDLE`` is empty.
    """
    assert (_tls("https://s3.example.com/", proxy, bundle) or ssl.SSLContext()).verify_mode is ssl.CERT_REQUIRED


def test_certificates_are_read_where_a_server_or_its_proxy_has_one() -> None:
    """Reading them takes a twentieth of a command's start."""
    assert _tls("http://127.0.0.1:9000/", None) is None
    assert _tls("http://127.0.0.1:9000/", "http://127.0.0.1:3128") is None
    assert _tls("http://s3.example.com/", "HTTPS://127.0.0.1:3128") is not None


def _tls(url: str, proxy: str | None, bundle: Any = None) -> ssl.SSLContext | None:
    """Return the settings of TLS that a request is sent with."""
    sent: dict[str, Any] = {}

    async def note(_: object, __: str, **more: Any) -> Any:
        sent.update(more)
        return SimpleNamespace(status=200)

    async def ask() -> None:
        async with HttpSession(verify=bundle) as session:
            straight = await session._get_session(proxy)
            await straight.request("GET", url=URL(url), proxy=proxy)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(aiohttp.ClientSession, "request", note)
        asyncio.run(ask())
    found: ssl.SSLContext | None = sent.get("ssl")
    return found


def test_a_connection_is_watched_once_however_many_requests_it_carries() -> None:
    """A hop sends a hundred thousand over one session, and each must cost as little as the first."""

    async def watches() -> int:
        async with HttpSession() as session:
            for _ in range(3):
                straight = await session._get_session(None)
            return len(straight.session.trace_configs)

    assert asyncio.run(watches()) == 1


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    """Aiohttp alone would send the session's token wherever the answer points, and a PUT as a GET."""
    with serving() as web:
        web.serve("/reports/a.pdf", Answer(status=301, headers={"Location": f"{web.address}/elsewhere"}))
        web.serve("/elsewhere", Answer(b"Sign in"))

        async def get() -> None:
            async with open_s3(web.address, 1) as (client, _):
                await client.get_object(Bucket="reports", Key="a.pdf")

        with pytest.raises(ClientError, match="301"):
            asyncio.run(get())
    assert [path for path, _ in web.asked] == ["/reports/a.pdf"]


async def _put(port: int, body: Any) -> None:
    """Write an object to a server; the write is tried once, and fails after a second without progress."""
    reach = Reach(read_seconds=1.0)
    async with open_s3(f"http://127.0.0.1:{port}", 1, reach=reach) as (client, _), asyncio.timeout(20):
        await client.put_object(Bucket="reports", Key="a", Body=body)


class _Waits(selectors.DefaultSelector):
    """A selector that adds up the seconds in which nothing came."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        self.passed += 0.0 if ready else timeout or 0.0
        return ready


class _Unstalled(asyncio.SelectorEventLoop):
    """A loop whose clock leaves out the pauses of a busy machine, which stop client and server alike."""

    def __init__(self) -> None:
        self._waits = _Waits()
        super().__init__(self._waits)

    def time(self) -> float:
        return self._waits.passed


async def _put_to(answer: Serving, body: Any = BODY) -> None:
    ended = asyncio.Event()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            ended.set()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        try:
            await _put(server.sockets[0].getsockname()[1], body)
        finally:
            await ended.wait()


def test_a_write_does_not_wait_for_ever_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One dead connection would hold a hop until Lambda ends it, with all that it has written."""
    monkeypatch.setattr(clients, "MAX_ATTEMPTS", 1)

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 20):
            pass

    with pytest.raises(ReadTimeoutError):
        asyncio.run(_put_to(silent))


@pytest.mark.parametrize("monitored", [False, True])
def test_a_write_does_not_wait_for_ever_for_a_server_that_stops_reading(
    monitored: bool,  # noqa: FBT001 - pytest's
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Aiohttp's own timeout begins when the whole body is sent. OpenTelemetry and Sentry watch each session, too."""
    monkeypatch.setattr(clients, "MAX_ATTEMPTS", 1)
    if monitored:
        made: Any = aiohttp.ClientSession.__init__
        watched = partialmethod(made, trace_configs=[aiohttp.TraceConfig()])
        monkeypatch.setattr(aiohttp.ClientSession, "__init__", watched)

    async def put() -> None:
        try:
            with socket.create_server(("127.0.0.1", 0)) as server:
                await _put(server.getsockname()[1], BODY)
        finally:
            await asyncio.sleep(0.1)  # until the client notices the closed connection

    with pytest.raises(ReadTimeoutError):
        asyncio.run(put())


def test_a_request_does_not_wait_for_ever_for_a_silent_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy may take the connection, and never say whether it reaches the server."""
    monkeypatch.setattr(clients, "MAX_ATTEMPTS", 1)

    async def ask() -> None:
        async with open_s3(None, 1, reach=Reach(read_seconds=1.0)) as (client, _), asyncio.timeout(20):
            await client.list_objects_v2(Bucket="reports")

    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with pytest.raises(ReadTimeoutError):
            asyncio.run(ask())


@pytest.mark.parametrize("body", [io.BytesIO(BODY), BODY])
def test_a_write_over_a_slow_line_takes_as_long_as_it_needs(body: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout bounds a standstill, as that of a read does: also for a checkpoint, or a page, given as bytes."""
    monkeypatch.setattr(clients, "MAX_ATTEMPTS", 1)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, left = await reader.readuntil(b"\r\n\r\n"), len(BODY)
        assert b"100-continue" not in head
        while left and (block := await reader.read(min(left, 1 << 20))):
            left -= len(block)
            await asyncio.sleep(0.02)  # the kernel's buffers hold some 20 blocks: 0.4 s without progress
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "a"\r\nContent-Length: 0\r\n\r\n')

    began = time.monotonic()
    with asyncio.Runner(loop_factory=_Unstalled) as runner:
        runner.run(_put_to(slow, body))
    assert time.monotonic() - began > 1.0


def test_a_refusal_is_read_before_the_whole_body_is_sent() -> None:
    """S3 reads no further when it denies a request, and closes the connection."""

    async def denies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        writer.write(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with pytest.raises(ClientError, match="AccessDenied"):
        asyncio.run(_put_to(denies))
