"""HTTP/1.1 as cheap as asyncio allows: one protocol object per connection, bodies counted as they arrive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import Callable

_TIMER_ERROR_SECONDS = 0.0015  # epoll counts in milliseconds and rounds up


@dataclass(slots=True)
class Body:
    """A request's body: its size and its lines are counted, its first ``keep`` bytes are kept."""

    keep: int
    size: int = 0
    lines: int = 0
    kept: list[bytes] = field(default_factory=list)

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        if self.size < self.keep:
            self.kept.append(piece[: self.keep - self.size])
        self.size += len(piece)
        self.lines += piece.count(b"\n")


@dataclass(slots=True)
class Request:
    """One request, its body already read."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Body


@dataclass(slots=True)
class Response:
    """One response; ``delay`` in seconds passes before it is sent."""

    status: str = "200 OK"
    headers: str = ""
    body: list[bytes] = field(default_factory=list)
    delay: float = 0.0


def unchunked(raw: bytes) -> bytes | None:
    """
    Decode a chunked body: HTTP's own chunks and aws-chunked's signed ones are framed alike, trailers are dropped.

    :return: ``None`` until the last chunk has come.
    """
    pieces: list[bytes] = []
    at = 0
    while (line := raw.find(b"\r\n", at)) >= 0:
        size = int(raw[at:line].split(b";")[0], 16)
        if size == 0:
            return b"".join(pieces)
        pieces.append(raw[line + 2 : line + 2 + size])
        at = line + 4 + size
    return None


class Connection(asyncio.Protocol):
    """
    A keep-alive connection.

    :param handle: Answers a request.
    :param keep: Returns how many bytes of a body to keep, by method, path and headers.
    """

    def __init__(self, handle: Callable[[Request], Response], keep: Callable[[str, str, dict[str, str]], int]) -> None:
        self._handle, self._keep = handle, keep
        self._buffer = b""
        self._request: Request | None = None
        self._left = 0
        self._chunked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; its buffer takes whole pages."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 a TCP server makes no other
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Feed a body, or begin a request; a complete request is answered."""
        if self._request is not None and not self._chunked and not self._buffer:
            data = self._fed(data)
        self._buffer += data
        while self._step():
            pass

    def _fed(self, data: bytes) -> bytes:
        assert self._request is not None  # noqa: S101 only called inside a body
        piece = data[: self._left] if len(data) > self._left else data
        self._request.body.feed(piece)
        self._left -= len(piece)
        return data[len(piece) :]

    def _step(self) -> bool:
        """Advance by one state; return whether more can be done with the bytes read."""
        if self._request is None:
            return self._head()
        if self._chunked:
            body = unchunked(self._buffer) if self._buffer.endswith(b"\r\n\r\n") else None
            if body is None:
                return False
            self._request.body.feed(body)
            self._buffer = b""
        else:
            self._buffer = self._fed(self._buffer)
            if self._left:
                return False
        self._answer()
        return bool(self._buffer)

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        self._buffer = self._buffer[end + 4 :]
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        path, _, query = target.partition("?")
        values = dict(parse_qsl(query, keep_blank_values=True))
        self._request = Request(
            method, unquote(path), values, headers, Body(self._keep(method, unquote(path), headers))
        )
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self._left = int(headers.get("content-length", "0"))
        if headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _answer(self) -> None:
        request, self._request, self._chunked = self._request, None, False
        assert request is not None  # noqa: S101 only called at the end of one
        if "aws-chunked" in request.headers.get("content-encoding", ""):
            raw = b"".join(request.body.kept)
            request.body = Body(request.body.keep)
            request.body.feed(unchunked(raw) or b"")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        response = self._handle(request)
        if response.delay:
            due = begun + response.delay
            loop.call_at(due - _TIMER_ERROR_SECONDS, self._send_at, due, request.method, response)
        else:
            self._send(request.method, response)

    def _send_at(self, due: float, method: str, response: Response) -> None:
        """Spin for the rest of the delay: the timer's error would count against the client."""
        loop = asyncio.get_running_loop()
        while loop.time() < due:
            pass
        self._send(method, response)

    def _send(self, method: str, response: Response) -> None:
        size = sum(map(len, response.body))
        length = "" if "content-length" in response.headers else f"content-length: {size}\r\n"
        head = f"HTTP/1.1 {response.status}\r\nserver: stub\r\n{response.headers}{length}\r\n".encode()
        if not self._transport.is_closing():
            self._transport.writelines([head] if method == "HEAD" else [head, *response.body])
