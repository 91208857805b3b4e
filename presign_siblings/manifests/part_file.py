"""A file on its way: what came of it is kept when the connection breaks, and a later try continues after it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from presign_siblings.manifests.fetched import Told
    from presign_siblings.manifests.safe_folder import Place

CONTINUED = 1 << 20  # bytes; a smaller object begins again, which is cheaper than a note beside each
_PIECE = 1 << 18
_ENDS = re.compile(r"(\d+) (\d+) (\d+)")


class PartFile:
    """
    The bytes of an object beside the place of its file.

    :param count: Told of bytes that are written.
    :param begun: Bytes from the beginning that an earlier try has left.
    :param tail:  Where bytes of the end begin that it has left; ``None`` where there are none.
    :param etag:  Of the object that they are of.
    """

    def __init__(self, place: Place, count: Callable[[int], None] = lambda _: None) -> None:
        self._place, self._count = place, count
        self._file, left = place.open()
        self._size, self._is_noted = left or 0, left is not None  # a kill may have left a note of no byte
        self.etag, _, self._ends = (place.noted() if self._size else "").partition("\n")
        self.begun, self.tail = self._size if self.etag else 0, None
        self._whole = 0
        if self._ends:
            self.begun, self.tail = _ends(self._ends, self._size)

    def __enter__(self) -> Self:
        """Return the file, open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        os.close(self._file)

    def begin(self, at: int, told: Told, update: Callable[[memoryview], None]) -> None:
        """Begin to write at this byte; those before it are given to ``update``."""
        if self._size > at and (self.tail is None or not at):
            os.ftruncate(self._file, at)
            self.tail = None
        if at:
            self.read(0, at, update)
            os.lseek(self._file, at, os.SEEK_SET)
        self.begun = at
        if not at and self._is_noted:
            self._place.unnote()
        begins = not at and told.etag and told.size >= CONTINUED
        if begins or (at and self._ends and self.tail is None):  # from here on the file's size tells what is there
            self._place.note(told.etag)
            self._is_noted = True
        self.etag, self._whole = told.etag, told.size

    def take(self, piece: memoryview) -> None:
        """Write the next bytes."""
        self._count(len(piece))
        while len(piece) > (written := os.write(self._file, piece)):
            piece = piece[written:]

    def put(self, at: int, piece: memoryview) -> None:
        """Write bytes at a place."""
        self._count(len(piece))
        while len(piece) > (written := os.pwrite(self._file, piece, at)):
            piece, at = piece[written:], at + written

    def read(self, first: int, end: int, update: Callable[[memoryview], None]) -> None:
        """Give bytes that are there to ``update``."""
        while first < end and (piece := os.pread(self._file, min(end - first, _PIECE), first)):
            update(memoryview(piece))
            first += len(piece)

    def note_ends(self, head: int, tail: int) -> None:
        """Note that the bytes before ``head``, and those from ``tail`` on, are there."""
        self._place.note(f"{self.etag}\n{head} {tail} {self._whole}")

    def end(self) -> None:
        """All bytes are there: a later try has nothing to continue."""
        if self._is_noted:
            self._place.unnote()
            self._is_noted = False


def _ends(written: str, size: int) -> tuple[int, int | None]:
    """Read where head and tail end and begin, in a file of this size; no tail is whole where the file is shorter."""
    match = _ENDS.fullmatch(written)
    if match is None:
        return 0, None
    head, tail, whole = map(int, match.groups())
    return min(head, size), tail if head < tail and size == whole else None
