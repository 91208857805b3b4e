"""The tester's server over HTTP: what it refuses, and with which message."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from dev.tester import objects
from dev.tester.controller import Controller
from dev.tester.server import serve
from tests.deployed import TESTER, OneObject

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from dev.tester.access import Session

PDF = b"%PDF-1.4 one"


class Bucket(OneObject):
    """An S3 that lists the objects that were put."""

    def get_paginator(self, _: str) -> Bucket:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key, "Size": len(body)} for key, body in sorted(self.put.items())]}]


def held(stand: Controller) -> dict[str, bytes]:
    """Return the objects of the bucket."""
    s3: Any = stand.services.s3
    kept: dict[str, bytes] = s3.put
    return kept


def answers(ask: Callable[[aiohttp.ClientSession, Session, Controller], Awaitable[None]]) -> None:
    """Run the server for some requests, which have the session's cookie and origin."""

    async def go() -> None:
        services: Any = SimpleNamespace(deployed=TESTER, s3=Bucket())
        stand = Controller(services, faults=SimpleNamespace())  # type: ignore[arg-type]
        session, runner = await serve(stand, 0)
        origin = f"http://127.0.0.1:{session.port}"
        try:
            jar = aiohttp.CookieJar(unsafe=True)  # it keeps no cookie of an IP address otherwise
            async with aiohttp.ClientSession(origin, headers={"Origin": origin}, cookie_jar=jar) as client:
                async with client.get(session.url) as first:
                    assert (first.status, first.url.query_string) == (200, "")
                await ask(client, session, stand)
        finally:
            stand.close()
            await runner.cleanup()

    asyncio.run(go())


def test_only_the_session_gets_the_page_and_its_files() -> None:
    """Without the cookie even the style sheet is refused; no other file is served at all."""

    async def ask(client: aiohttp.ClientSession, session: Session, _: Controller) -> None:
        for path, kind in (
            ("/", "text/html"),
            ("/static/main.js", "text/javascript"),
            ("/static/tester.css", "text/css"),
        ):
            async with client.get(path) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
        for path in ("/static/..%2Froutes.py", "/static/%2Fetc%2Fpasswd", "/static/routes.py", "/nothing"):
            async with client.get(path) as answer:
                assert (answer.status, list(await answer.json())) == (404, ["message"]), path
        async with aiohttp.ClientSession() as stranger, stranger.get(f"http://127.0.0.1:{session.port}/") as answer:
            assert answer.status == 403

    answers(ask)


def test_a_request_of_another_origin_changes_nothing() -> None:
    """Even with the cookie: to a browser, another port of this machine is the same site."""

    async def ask(client: aiohttp.ClientSession, _: Session, stand: Controller) -> None:
        for origin in ("http://evil.example", "http://127.0.0.1:1"):
            async with client.put("/api/pdfs?name=a.pdf", data=PDF, headers={"Origin": origin}) as answer:
                assert answer.status == 403
        assert held(stand) == {}

    answers(ask)


def test_an_uploaded_file_keeps_its_exact_name() -> None:
    """The name travels in the query, where each character has only one form."""
    name = '100% "é" #1?.pdf'

    async def ask(client: aiohttp.ClientSession, _: Session, stand: Controller) -> None:
        async with client.put("/api/pdfs", params={"name": name}, data=PDF) as answer:
            assert (answer.status, await answer.json()) == (200, {"count": 1})
        assert held(stand) == {f"inbox/{name}": PDF}

    answers(ask)


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/api/pdfs", PDF, "name"),
        ("PUT", "/api/pdfs?name=a.pdf", b"no PDF", "file"),
        ("POST", "/api/pdfs", b'{"count": "many"}', "count"),
        ("POST", "/api/pdfs", b"not JSON", "form"),
        ("POST", "/api/run", b'{"page_size": "1001"}', "page_size"),
        ("POST", "/api/run", b'{"prefix": "elsewhere/"}', "prefix"),
        ("POST", "/api/rule", b'{"on": "yes"}', "on"),
        ("GET", "/api/manifest?offset=-1", None, "offset"),
    ],
)
def test_a_bad_field_is_named(method: str, path: str, body: bytes | None, field: str) -> None:
    """With its rule, in words and not in Python's notation; nothing is started."""

    async def ask(client: aiohttp.ClientSession, _: Session, stand: Controller) -> None:
        async with client.request(method, path, data=body) as answer:
            answered = await answer.json()
        assert (answer.status, answered["field"]) == (400, field)
        assert answered["message"].startswith(("must be ", "is not "))
        assert stand.run is None

    answers(ask)


def test_a_form_that_arrives_in_pieces_is_read_whole() -> None:
    """A browser or a tunnel may send it so: its first piece alone is not JSON."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"on": '
        await asyncio.sleep(0.1)
        yield b'"yes"}'

    async def ask(client: aiohttp.ClientSession, _: Session, __: Controller) -> None:
        async with client.post("/api/rule", data=pieces()) as answer:
            assert (await answer.json())["field"] == "on"

    answers(ask)


def test_a_file_that_is_too_large_is_refused_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read into memory whole."""
    monkeypatch.setattr(objects, "MAX_UPLOAD_BYTES", 1024 * 1024)

    async def ask(client: aiohttp.ClientSession, _: Session, stand: Controller) -> None:
        async with client.put("/api/pdfs?name=a.pdf", data=io.BytesIO(PDF + bytes(1024 * 1024))) as answer:
            answered = await answer.json()
        assert (answer.status, answered["field"]) == (400, "file")
        assert "at most 1 MiB" in answered["message"]
        assert stand.held.count == 0

    answers(ask)


@pytest.mark.parametrize(
    ("method", "path", "why"),
    [
        ("POST", "/api/run", "the bucket is empty"),
        ("POST", "/api/stop", "no chain is under way"),
        ("POST", "/api/kill", "no chain is under way"),
        ("POST", "/api/resume", "no chain to resume"),
        ("GET", "/api/manifest", "no manifest yet"),
        ("GET", "/manifest", "no manifest yet"),
    ],
)
def test_an_action_that_is_not_possible_now_is_refused_with_the_reason(method: str, path: str, why: str) -> None:
    """As a conflict, not as a fault."""

    async def ask(client: aiohttp.ClientSession, _: Session, __: Controller) -> None:
        async with client.request(method, path, data=b"{}") as answer:
            answered = await answer.json()
        assert (answer.status, why in answered["message"]) == (409, True), answered

    answers(ask)


def test_the_stream_begins_with_the_whole_state() -> None:
    """A page that connects late, or again, misses nothing."""

    async def ask(client: aiohttp.ClientSession, _: Session, __: Controller) -> None:
        async with client.get("/events") as stream:
            assert stream.content_type == "text/event-stream"
            assert stream.headers["Cache-Control"] == "no-store"
            event, data = [(await stream.content.readline()).decode().strip() for _ in range(2)]
        state = json.loads(data.removeprefix("data: "))
        assert (event, state["run"], state["bucket"]["count"]) == ("event: state", None, 0)

    answers(ask)


def test_the_former_run_is_gone_as_soon_as_the_next_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that asks before the next one works would take the former's end for it."""

    def refuse(*_: object) -> None:
        raise OSError("no further")

    monkeypatch.setattr(Controller, "_prepare", refuse)
    services: Any = SimpleNamespace(deployed=TESTER, s3=Bucket())
    former: Any = SimpleNamespace(phase="complete", lost=False, abandoned=threading.Event())
    stand = Controller(services, SimpleNamespace(), held=objects.Held(count=1), run=former)  # type: ignore[arg-type]
    going_on = threading.Event()
    stand._thread = threading.Thread(target=going_on.wait)
    stand._thread.start()
    try:
        stand.start({})
        assert stand.run is None
        assert former.abandoned.is_set()
    finally:
        going_on.set()
        stand._thread.join()
    assert stand.fault == "the run ended with an error: no further"


@pytest.mark.parametrize("goes", ["during an upload", "before the stream begins", "in the stream"])
def test_a_tab_that_closes_logs_nothing(goes: str, caplog: pytest.LogCaptureFixture) -> None:
    """Aiohttp logs a handler's exception, with its traceback, on the terminal of the tester."""

    async def ask(client: aiohttp.ClientSession, session: Session, stand: Controller) -> None:
        cookies = "; ".join(f"{each.key}={each.value}" for each in client.cookie_jar)
        host = f"127.0.0.1:{session.port}"
        of_all = f"Host: {host}\r\nOrigin: http://{host}\r\nCookie: {cookies}\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", session.port)
        if goes == "during an upload":
            writer.write(f"PUT /api/pdfs?name=a.pdf HTTP/1.1\r\n{of_all}Content-Length: 100000\r\n\r\n%PDF-".encode())
            await writer.drain()
            await asyncio.sleep(0.2)
        else:
            writer.write(f"GET /events HTTP/1.1\r\n{of_all}\r\n".encode())
            await writer.drain()
            if goes == "in the stream":
                assert b"200" in await reader.readline()
                await reader.readuntil(b"event: state")
        transport: Any = writer.transport
        transport.abort()
        for _ in range(5):
            stand.fault += "x"  # the state changes, so the stream writes to the closed connection
            await asyncio.sleep(0.2)
        assert held(stand) == {}

    with caplog.at_level("DEBUG"):
        answers(ask)
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.WARNING] == []
