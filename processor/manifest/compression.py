"""How keys and URLs become the manifest object's bytes: JSON lines, plain or as one gzip member."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Protocol

from isal import isal_zlib

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, no time, unknown system
GZIP_LEVEL = 1
PIECE = 1 << 16  # bytes; glibc's malloc takes from 128 KiB on fresh pages from the kernel


def lines(keys: Sequence[str], urls: Sequence[str]) -> Iterator[bytes]:
    """
    Yield the manifest's lines, some at a time; a presigned URL holds nothing that JSON escapes.

    A page's lines in one piece would be fresh memory from the kernel each time, and its page faults cost several times
    what the formatting does.
    """
    encode = encode_basestring_ascii
    step = max(1, PIECE // len(urls[0])) if urls else 1
    for start in range(0, len(urls), step):
        some = zip(keys[start : start + step], urls[start : start + step], strict=True)
        yield "".join([f'{{"key": {encode(key)}, "url": "{url}"}}\n' for key, url in some]).encode("ascii")


class Encoding(Protocol):
    """How lines become the object's bytes."""

    def encode(self, data: bytes) -> bytes:
        """Return what can be stored so far."""

    def cut(self) -> bytes:
        """Return the rest, such that another hop's bytes may follow."""

    def finish(self, length: int, crc32: int) -> bytes:
        """Return the rest and the object's end."""


class Plain:
    """Lines as they are."""

    def encode(self, data: bytes) -> bytes:
        """Return the lines."""
        return data

    def cut(self) -> bytes:
        """Return nothing: no state."""
        return b""

    def finish(self, length: int, crc32: int) -> bytes:  # noqa: ARG002 - the protocol's
        """Return nothing: no trailer."""
        return b""


class Gzip:
    """
    One gzip member across all hops (RFC 1952): raw deflate, a full flush at each cut, one trailer.

    curl and browsers stop after the first member, so a member a hop would lose keys.

    :param is_first: Whether the member's header is still to be written.
    """

    def __init__(self, *, is_first: bool) -> None:
        self._pending = GZIP_HEADER if is_first else b""
        self._deflate = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)

    def encode(self, data: bytes) -> bytes:
        """Compress."""
        pending, self._pending = self._pending, b""
        return pending + bytes(self._deflate.compress(data))

    def cut(self) -> bytes:
        """Flush to a byte boundary; nothing after it refers to what is before."""
        return self.encode(b"") + bytes(self._deflate.flush(isal_zlib.Z_FULL_FLUSH))

    def finish(self, length: int, crc32: int) -> bytes:
        """End the deflate stream, and add checksum and length (modulo 2**32)."""
        trailer = crc32.to_bytes(4, "little") + (length % (1 << 32)).to_bytes(4, "little")
        return self.encode(b"") + bytes(self._deflate.flush(isal_zlib.Z_FINISH)) + trailer
