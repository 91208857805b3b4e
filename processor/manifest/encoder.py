"""Encodes one range's lines, plain or as raw deflate, and accounts for every byte."""

from __future__ import annotations

from typing import Any

from isal import isal_zlib

from processor.job import GZIP, EncodedBytes

HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # of a gzip member (RFC 1952): no name, no time, unknown system
_LAST_BLOCK = b"\x03\x00"  # of a deflate stream (RFC 1951): final, fixed codes, empty
_LEVEL = 1
_TWO_TO_32 = 1 << 32


class Encoder:
    """
    One range's share of the manifest's one gzip member, or its plain lines.

    curl and browsers stop after the first member of a stream, so a range is raw deflate that a full flush ends: another
    range's bytes, or another hop's, may follow.

    :param compression: ``none`` or ``gzip``.
    :param before:      What earlier hops encoded of the range.
    """

    def __init__(self, compression: str, before: EncodedBytes) -> None:
        self._before, self._is_gzip = before, compression == GZIP
        self._length = self._crc32 = self._size = self._checksum = 0
        self._deflate: Any = None  # its memory is in use between an ``encode`` and its ``flush`` alone

    @property
    def encoded(self) -> EncodedBytes:
        """What was encoded so far, of all hops; whole after ``flush``."""
        if self._is_gzip:
            return self._before + EncodedBytes(self._length, self._crc32, self._size, self._checksum)
        return self._before + EncodedBytes(self._length, self._crc32, self._length, self._crc32)

    def encode(self, data: bytes) -> bytes:
        """Return what can be stored so far."""
        self._length += len(data)
        self._crc32 = isal_zlib.crc32(data, self._crc32)
        if not self._is_gzip:
            return data
        if self._deflate is None:
            self._deflate = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
        return self._measured(bytes(self._deflate.compress(data)))

    def flush(self) -> bytes:
        """Return the rest, up to a byte boundary; nothing after it refers to what is before."""
        deflate, self._deflate = self._deflate, None
        return b"" if deflate is None else self._measured(bytes(deflate.flush(isal_zlib.Z_FULL_FLUSH)))

    def _measured(self, encoded: bytes) -> bytes:
        self._size += len(encoded)
        self._checksum = isal_zlib.crc32(encoded, self._checksum)
        return encoded


def ends(compression: str, lines: EncodedBytes) -> tuple[bytes, bytes]:
    """
    Return the bytes of the manifest before and after those of all ranges.

    :param lines: All ranges' bytes, put together.
    """
    if compression != GZIP:
        return b"", b""
    trailer = lines.crc32.to_bytes(4, "little") + (lines.length % _TWO_TO_32).to_bytes(4, "little")
    return HEADER, _LAST_BLOCK + trailer


def encoded_as(data: bytes) -> EncodedBytes:
    """Account for bytes that are stored as they are, and belong to no line."""
    return EncodedBytes(size=len(data), checksum=isal_zlib.crc32(data))
