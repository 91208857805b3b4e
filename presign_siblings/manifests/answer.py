"""An HTTP answer: its head, and its body as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.manifests.connection import Connection

BUFFER = 1 << 16  # bytes; a head must fit
MAX_LINES = 200
MOST_DIGITS = 18  # of a number of bytes: no store sends more
ENDLESS = "the head of the answer does not end"
NO_HTTP = "the answer is not HTTP"
NO_LENGTH = "the answer's length is no number of bytes"
_NO_BODY = frozenset({204, 304})


class BrokenError(Exception):
    """
    The connection broke, or the answer is not HTTP.

    :param begun: Whether any of the answer had come.
    """

    def __init__(self, message: str, *, begun: bool = True) -> None:
        super().__init__(message)
        self.begun = begun


def number(text: str) -> int | None:
    """Return a header's number of bytes; ``None`` where it is not a number, or has too many digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def read_head(head: str) -> tuple[int, dict[str, str]]:
    """
    Return status and headers, by their names in lower case.

    :raises BrokenError: The text is not a head.
    """
    lines = head.split("\n")
    version, _, rest = lines[0].partition(" ")
    status = number(rest[:3])
    if status is None:
        raise BrokenError(NO_HTTP)
    headers = {"connection": "close"} if version == "HTTP/1.0" else {}
    for line in lines[1:]:
        if line.startswith((" ", "\t")):
            continue  # a folded line (RFC 9112, 5.2): no header that is read here has one
        name, colon, value = line.partition(":")
        if not colon or len(lines) > MAX_LINES:
            raise BrokenError(ENDLESS)
        headers[name.lower()] = value.strip()
    return status, headers


def _length(headers: dict[str, str]) -> int | None:
    """
    Return the bytes of a body; the same number several times counts once, anything else ends nowhere (RFC 9112, 6.3).

    :raises BrokenError: The length is no number.
    """
    text = headers.get("content-length")
    if text is None:
        return None
    found = {number(each.strip()) for each in text.split(",")}
    if len(found) > 1 or None in found:
        raise BrokenError(NO_LENGTH)
    return found.pop()


class Answer:
    """
    An answer, whose body is still to be read.

    :param headers: By their names in lower case.
    :param length:  Bytes of the body; ``None`` where the head does not say.
    :param is_here: Whether all of the body has come.
    """

    def __init__(self, connection: Connection, status: int, headers: dict[str, str]) -> None:
        self._connection, self.status, self.headers = connection, status, headers
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        self.length = None if self._chunked else _length(headers)
        self._left = 0 if status in _NO_BODY else self.length
        self.is_here = self._left is not None and self._left <= connection.unread

    @property
    def stays(self) -> bool:
        """Whether the connection may be asked again: the body was read to its end, and the server keeps it."""
        return self._left == 0 and self.length is not None and self.headers.get("connection", "").lower() != "close"

    @property
    def shows_its_end(self) -> bool:
        """Whether a body that is cut off shows; else the body ends where the connection does."""
        return self._left is not None or self._chunked

    def pieces(self, buffer: memoryview) -> Iterator[memoryview]:
        """
        Yield the body as it arrives; each piece is valid until the next one.

        :param buffer: Takes bytes that have not arrived yet.
        :raises BrokenError: The connection broke, or the body ended early.
        """
        if self._left is not None:
            return self._counted(self._left, buffer)
        return self._chunks() if self._chunked else self._all()

    def _counted(self, left: int, buffer: memoryview) -> Iterator[memoryview]:
        if left and self._connection.unread:
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
        """Yield the chunks; more headers may follow the last one."""
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
        line = self._connection.line()
        if not line.endswith(b"\n"):  # of the size 0800 only the first 0 may have come, which would end the body
            raise BrokenError("the connection was closed in the middle")
        try:
            return int(line.partition(b";")[0], 16)
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
