"""
A connection for GET requests, one after the other.

Only calls whose docstrings say so wait: one thread waits for the answers of many connections.
"""

from __future__ import annotations

import socket
import time

from presign_siblings.manifests.answer import BUFFER, ENDLESS, NO_HTTP, Answer, BrokenError, read_head
from presign_siblings.manifests.turns import wait_for
from presign_siblings.manifests.workers import Away
from processor.causes import why

READ_SECONDS = 60
_BEGINS = b"HTTP/1."
_CLOSED = "the server closed the connection"
_INFORMATION = range(100, 200)
_FAILED = "the connection failed: "


def cause(error: Exception) -> str:
    """Return why a connection broke, without the advice after it, which is for AWS's clients."""
    return why(error).removeprefix(_FAILED).partition("; ")[0]


class Connection:
    """
    An open connection.

    :param made:  A connected socket.
    :param wants: What the socket raises instead of waiting: to read, and to write.
    :param seconds: The longest wait for an answer, or for more of it.
    :param due:   When the wait for an answer ends, on the monotonic clock.
    """

    def __init__(
        self,
        made: socket.socket,
        wants: tuple[type[OSError], type[OSError]] = (BlockingIOError, BlockingIOError),
        seconds: float = READ_SECONDS,
    ) -> None:
        made.setblocking(False)  # noqa: FBT003 - socket's own argument
        self._seconds = seconds
        self._made, self._to_read, self._to_write = made, *wants
        self._bytes = bytearray(BUFFER)
        self._buffer = memoryview(self._bytes)
        self._first = self._last = 0  # bytes between the two have arrived and were not read
        self._broken: BrokenError | None = None
        self._head: tuple[int, dict[str, str]] | None = None
        self.asked, self.due = 0, 0.0

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._made.fileno()

    def send(self, request: bytes) -> None:
        """
        Send a request; wait where the system takes no more.

        :raises BrokenError: The connection broke.
        """
        self.asked += 1
        self._first = self._last = 0
        self._head, self.due = None, time.monotonic() + self._seconds
        try:
            while len(request) > (sent := self._sent(request)):
                request = request[sent:]
        except OSError as error:
            raise BrokenError(cause(error), begun=False) from None

    def _sent(self, request: bytes) -> int:
        while True:
            try:
                return self._made.send(request)
            except self._to_write:
                self._wait(self._seconds, to_write=True)
            except self._to_read:
                self._wait(self._seconds)

    def has_come(self) -> bool:
        """Take what has arrived; return whether the head of the answer is whole, or never will be."""
        if self._head is not None or self._broken is not None:
            return True
        try:
            while not self._take_head():
                came = self._receive(self._room())
                if came is None:
                    return False
                self._count(came)
        except OSError as error:
            self._broken = BrokenError(cause(error), begun=False)
        except BrokenError as error:
            self._broken = error
        return True

    def answer(self) -> Answer:
        """
        Wait for the head of the answer.

        :raises BrokenError: The connection broke, nothing came in time, or no end of the answer is known.
        """
        while not self.has_come():
            try:
                self._wait(self.due - time.monotonic())
            except OSError as error:
                raise BrokenError(cause(error)) from None
        if self._broken is not None or self._head is None:
            raise self._broken or BrokenError(ENDLESS)
        return Answer(self, *self._head)

    @property
    def unread(self) -> int:
        """Bytes that have arrived and were not read."""
        return self._last - self._first

    def into(self, view: memoryview) -> int:
        """Wait for bytes after those that are ``unread``; return how many arrived, 0 at the end."""
        try:
            while (came := self._receive(view)) is None:
                self._wait(self._seconds)
        except OSError as error:
            raise BrokenError(cause(error)) from None
        return came

    def some(self, most: int) -> memoryview:
        """Return the next bytes, after a wait if there are none; empty at the end. Valid until the next call."""
        if not self.unread:
            self._fill()
        first, self._first = self._first, min(self._last, self._first + most)
        return self._buffer[first : self._first]

    def line(self) -> bytes:
        """Return the next line, after a wait if needed; the last one may have no end."""
        line = b""
        while len(line) <= BUFFER:
            if not self.unread:
                self._fill()
            end = self._bytes.find(b"\n", self._first, self._last)
            piece = bytes(self.some(end + 1 - self._first if end >= 0 else BUFFER))
            line += piece
            if not piece or line.endswith(b"\n"):
                return line
        raise BrokenError(ENDLESS)

    def _fill(self) -> None:
        """Wait for bytes where none are ``unread``."""
        self._first = 0
        self._last = self.into(self._buffer)

    def close(self) -> None:
        """Close the connection."""
        self._made.close()

    def cut(self) -> None:
        """End every wait for an answer."""
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
        except self._to_write:  # TLS has to write first
            self._wait(self._seconds, to_write=True)
            return None

    def _room(self) -> memoryview:
        if self._last == BUFFER:
            raise BrokenError(ENDLESS)
        return self._buffer[self._last :]

    def _count(self, came: int) -> None:
        if not came:
            raise BrokenError(ENDLESS, begun=True) if self._last else BrokenError(_CLOSED, begun=False)
        self._last += came

    def _take_head(self) -> bool:
        """Read a whole head, past those of informational answers (status 100 to 199)."""
        while self.unread:
            if not _BEGINS.startswith(self._bytes[self._first : min(self._last, self._first + len(_BEGINS))]):
                raise BrokenError(NO_HTTP)
            end, mark = self._bytes.find(b"\r\n\r\n", self._first, self._last), 4
            if end < 0:
                end, mark = self._bytes.find(b"\n\n", self._first, self._last), 2
            if end < 0:
                return False
            head = read_head(self._bytes[self._first : end].decode("latin-1"))
            self._first = end + mark
            if head[0] not in _INFORMATION:
                self._head = head
                return True
        return False
