"""Bytes that a proxy has compressed on the way: they are unpacked piece by piece, so that memory stays flat."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_GZIP = 31  # zlib's window bits for one gzip member
_PIECE = 1 << 18


class Gunzip:
    """
    Unpacks one gzip member.

    :param take: Takes the unpacked bytes.
    """

    def __init__(self, take: Callable[[memoryview], None]) -> None:
        self._gzip, self._take = zlib.decompressobj(_GZIP), take

    def update(self, packed: bytes | memoryview) -> None:
        """
        Take the next packed bytes.

        :raises zlib.error: They are not gzip.
        """
        while not self._gzip.eof:
            piece = self._gzip.decompress(packed, _PIECE)
            self._take(memoryview(piece))
            packed = self._gzip.unconsumed_tail
            if not packed and len(piece) < _PIECE:
                return

    @property
    def is_whole(self) -> bool:
        """Whether the packed bytes have ended with the member, whose own checksum was compared."""
        return self._gzip.eof and not self._gzip.unused_data
