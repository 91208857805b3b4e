"""A file on its way: what came of it is kept when the connection breaks, and a later try continues behind it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from presign_siblings.manifests.http import Told
    from presign_siblings.manifests.safe_folder import Place

CONTINUED = 1 << 20  # bytes; a smaller object begins again, which is cheaper than a note beside each
_PIECE = 1 << 18


class PartFile:
    """
    The bytes of an object beside the place of its file.

    :param begun: Bytes that an earlier try has left.
    :param etag:  Of the object that they are of.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._file, self._size = place.open()
        self.etag = place.noted() if self._size else ""
        self.begun = self._size if self.etag else 0
        self._is_noted = bool(self.etag)

    def __enter__(self) -> Self:
        """Return the file, open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        os.close(self._file)

    def begin(self, at: int, told: Told, update: Callable[[memoryview], None]) -> None:
        """Begin to write at this byte; those before it are given to ``update``."""
        if self._size > at:
            os.ftruncate(self._file, at)
        buffer = memoryview(bytearray(min(at, _PIECE)))
        while at and (count := os.readv(self._file, [buffer])):
            update(buffer[:count])
        self.begun = at
        if not at and self._is_noted:
            self._place.unnote()
        if not at and told.etag and told.size >= CONTINUED:
            self._place.note(told.etag)
            self._is_noted = True

    def take(self, piece: memoryview) -> None:
        """Write the next bytes."""
        while len(piece) > (written := os.write(self._file, piece)):
            piece = piece[written:]

    def end(self) -> None:
        """All bytes are there: a later try has nothing to continue."""
        if self._is_noted:
            self._place.unnote()
            self._is_noted = False
