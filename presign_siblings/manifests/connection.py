"""
A connection that is asked with GET, one request after the other, and its answers.

Nothing waits but where the words say so: answers of many connections are waited for at once.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from presign_siblings.manifests.turns import wait_for
from presign_siblings.manifests.workers import Away
from processor.causes import why

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_SECONDS = 60
BUFFER = 1 << 16  # bytes; a head must fit
MAX_LINES = 200
_BEGINS = b"HTTP/1."
_ENDLESS = "the head of the answer does not end"
_NO_HTTP = "the answer is no HTTP"
_CLOSED = "the server closed the connection"
_INFORMATION = range(100, 200)
_NO_BODY = frozenset({204, 304})


class BrokenError(Exception):
    """
    The connection broke, or what came is no HTTP.

    :param begun: Whether any of the answer had come.
    """

    def __init__(self, message: str, *, begun: bool = True) -> None:
        super().__init__(message)
        self.begun = begun


class Connection:
    """
    An open connection.

    :param made:  Connected.
    :param wants: What its calls raise in place of a wait: to be read, and to be written first.
    :param due:   On the monotonic clock: when to wait for an answer no longer.
    """

    def __init__(
        self, made: socket.socket, wants: tuple[type[OSError], type[OSError]] = (BlockingIOError, BlockingIOError)
    ) -> None:
        made.setblocking(False)  # noqa: FBT003 - its own name
        self._made, self._to_read, self._to_write = made, *wants
        self._bytes = bytearray(BUFFER)
        self._buffer = memoryview(self._bytes)
        self._first = self._last = 0  # what has come and was not read lies between
        self._broken: BrokenError | None = None
        self._head: tuple[int, dict[str, str]] | None = None
        self.asked, self.due = 0, 0.0

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._made.fileno()

    def send(self, request: bytes) -> None:
        """
        Send a request; waits where the system takes no more.

        :raises BrokenError: The connection broke.
        """
        self.asked += 1
        self._first = self._last = 0
        self._head, self.due = None, time.monotonic() + READ_SECONDS
        try:
            while len(request) > (sent := self._sent(request)):
                request = request[sent:]
        except OSError as error:
            raise BrokenError(why(error), begun=False) from None

    def _sent(self, request: bytes) -> int:
        while True:
            try:
                return self._made.send(request)
            except self._to_write:
                self._wait(READ_SECONDS, to_write=True)
            except self._to_read:
                self._wait(READ_SECONDS)

    def has_come(self) -> bool:
        """Take what is there; return whether the head of the answer is whole, or will never be."""
        if self._head is not None or self._broken is not None:
            return True
        try:
            while not self._take_head():
                came = self._receive(self._room())
                if came is None:
                    return False
                self._count(came)
        except OSError as error:
            self._broken = BrokenError(why(error), begun=False)
        except BrokenError as error:
            self._broken = error
        return True

    def answer(self) -> Answer:
        """
        Wait for the head of the answer.

        :raises BrokenError: The connection broke, or nothing came in time.
        """
        while not self.has_come():
            try:
                self._wait(self.due - time.monotonic())
            except OSError as error:
                raise BrokenError(why(error)) from None
        if self._broken is not None or self._head is None:
            raise self._broken or BrokenError(_ENDLESS)
        return Answer(self, *self._head)

    @property
    def there(self) -> int:
        """Bytes that have come and were not read."""
        return self._last - self._first

    def into(self, view: memoryview) -> int:
        """Wait for bytes behind those that are ``there``; return how many came, 0 at the end."""
        try:
            while (came := self._receive(view)) is None:
                self._wait(READ_SECONDS)
        except OSError as error:
            raise BrokenError(why(error)) from None
        return came

    def some(self, most: int) -> memoryview:
        """Return the next bytes, after a wait where none are there; nothing at the end. Valid until the next call."""
        if not self.there:
            self._first = 0
            self._last = self.into(self._buffer)
        first, self._first = self._first, min(self._last, self._first + most)
        return self._buffer[first : self._first]

    def line(self) -> bytes:
        """Return the next line, after a wait where it is not there; the last one may have no end."""
        line = b""
        while len(line) <= BUFFER:
            end = self._bytes.find(b"\n", self._first, self._last)
            piece = bytes(self.some(end + 1 - self._first if end >= 0 else BUFFER))
            line += piece
            if not piece or line.endswith(b"\n"):
                return line
        raise BrokenError(_ENDLESS)

    def close(self) -> None:
        """Close the connection."""
        self._made.close()

    def cut(self) -> None:
        """Let whoever waits for an answer wait no longer."""
        try:
            self._made.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _wait(self, seconds: float, *, to_write: bool = False) -> None:
        with Away():
            ready = seconds > 0 and wait_for(self.fileno(), seconds, to_write=to_write)
        if not ready:
            raise TimeoutError("timed out")

    def _receive(self, view: memoryview) -> int | None:
        try:
            return self._made.recv_into(view)
        except self._to_read:
            return None
        except self._to_write:  # TLS has something to say first
            self._wait(READ_SECONDS, to_write=True)
            return None

    def _room(self) -> memoryview:
        if self._last == BUFFER:
            raise BrokenError(_ENDLESS)
        return self._buffer[self._last :]

    def _count(self, came: int) -> None:
        if not came:
            raise BrokenError(_ENDLESS, begun=True) if self._last else BrokenError(_CLOSED, begun=False)
        self._last += came

    def _take_head(self) -> bool:
        """Read a head that is whole; one of information has another behind it."""
        while self.there:
            if not _BEGINS.startswith(self._bytes[self._first : min(self._last, self._first + len(_BEGINS))]):
                raise BrokenError(_NO_HTTP)
            end, mark = self._bytes.find(b"\r\n\r\n", self._first, self._last), 4
            if end < 0:
                end, mark = self._bytes.find(b"\n\n", self._first, self._last), 2
            if end < 0:
                return False
            head = _read(self._bytes[self._first : end].decode("latin-1"))
            self._first = end + mark
            if head[0] not in _INFORMATION:
                self._head = head
                return True
        return False


def _read(head: str) -> tuple[int, dict[str, str]]:
    lines = head.split("\n")
    version, _, rest = lines[0].partition(" ")
    if not rest[:3].isdigit():
        raise BrokenError(_NO_HTTP)
    headers = {"connection": "close"} if version == "HTTP/1.0" else {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or len(lines) > MAX_LINES:
            raise BrokenError(_ENDLESS)
        headers[name.lower()] = value.strip()
    return int(rest[:3]), headers


class Answer:
    """
    An answer, whose body is still to be read.

    :param headers: By their names in lower case.
    :param length:  Bytes of the body; ``None`` where its head does not tell.
    :param is_here: Whether all of the body has come.
    """

    def __init__(self, connection: Connection, status: int, headers: dict[str, str]) -> None:
        self._connection, self.status, self.headers = connection, status, headers
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        told = headers.get("content-length", "")
        self.length = int(told) if told.isascii() and told.isdigit() and not self._chunked else None
        self._left = 0 if status in _NO_BODY else self.length
        self.is_here = self._left is not None and self._left <= connection.there

    @property
    def stays(self) -> bool:
        """Whether the connection may be asked again: the body was read to its end, and the server keeps it."""
        return self._left == 0 and self.length is not None and self.headers.get("connection", "").lower() != "close"

    def pieces(self, buffer: memoryview) -> Iterator[memoryview]:
        """
        Yield the body as it comes, after waits; each piece is valid until the next one.

        :param buffer: Takes what has not come yet.
        :raises BrokenError: The connection broke, or the body ended early.
        """
        if self._left is not None:
            return self._counted(self._left, buffer)
        return self._chunks() if self._chunked else self._all()

    def _counted(self, left: int, buffer: memoryview) -> Iterator[memoryview]:
        if left and self._connection.there:
            piece = self._connection.some(left)
            self._left = left = left - len(piece)
            yield piece
        while left:
            came = self._connection.into(buffer[:left])
            if not came:
                raise BrokenError("the connection was closed in the middle")
            self._left = left = left - came
            yield buffer[:came]

    def _all(self) -> Iterator[memoryview]:
        while piece := self._connection.some(BUFFER):
            yield piece

    def _chunks(self) -> Iterator[memoryview]:
        """Yield the chunks; behind the last one there may be more headers."""
        while left := self._chunk():
            while left:
                piece = self._connection.some(left)
                if not piece:
                    raise BrokenError("the connection was closed in the middle")
                left -= len(piece)
                yield piece
            self._connection.line()
        while self._connection.line() not in {b"\r\n", b"\n", b""}:
            continue

    def _chunk(self) -> int:
        """Return the size of the next chunk."""
        line = self._connection.line().partition(b";")[0].strip()
        try:
            return int(line, 16)
        except ValueError:
            raise BrokenError("a chunk of the answer has no size") from None

    def read(self, most: int) -> bytes:
        """Return the beginning of the body."""
        found = bytearray()
        for piece in self.pieces(memoryview(bytearray(most))):
            found += piece[: most - len(found)]
            if len(found) == most:
                break
        return bytes(found)
