"""A file under way: its bytes are kept when the connection breaks, and a later try continues after them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Self

from presign_siblings.manifests.gunzip import Gunzip

if TYPE_CHECKING:
    from collections.abc import Callable

    from presign_siblings.manifests.fetched import ObjectFacts
    from presign_siblings.manifests.safe_folder import Place

CONTINUED = 1 << 20  # bytes; fetching a smaller object again is cheaper than a note beside each
_PIECE = 1 << 18
_ENDS = re.compile(r"(\d+) (\d+) (\d+)")


class PartFile:
    """
    The bytes of an object beside the place of its file.

    :param count: Called with the number of bytes written.
    :param begun: Bytes from the beginning that an earlier try has left.
    :param tail:  Where the end begins that an earlier try has left; ``None`` where it left none.
    :param etag:  ETag of the object that these bytes belong to.
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

    @property
    def left(self) -> int:
        """Bytes that earlier tries have left, at both ends."""
        return self.begun + (0 if self.tail is None else self._size - self.tail)

    def begin(self, at: int, facts: ObjectFacts, update: Callable[[memoryview], None]) -> None:
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
        begins = not at and facts.etag and facts.size >= CONTINUED
        if begins or (at and self._ends and self.tail is None):  # from here on the file's size shows what is stored
            self._place.note(facts.etag)
            self._is_noted = True
        self.etag, self._whole = facts.etag, facts.size

    def take(self, piece: memoryview) -> None:
        """Write the next bytes."""
        self._count(len(piece))
        self._write(piece)

    def _write(self, piece: memoryview) -> None:
        while len(piece) > (written := os.write(self._file, piece)):
            piece = piece[written:]

    def put(self, at: int, piece: memoryview) -> None:
        """Write bytes at a place."""
        self._count(len(piece))
        while len(piece) > (written := os.pwrite(self._file, piece, at)):
            piece, at = piece[written:], at + written

    def read(self, first: int, end: int, update: Callable[[memoryview], None]) -> None:
        """Give stored bytes to ``update``."""
        while first < end and (piece := os.pread(self._file, min(end - first, _PIECE), first)):
            update(memoryview(piece))
            first += len(piece)

    def unpack(self) -> None:
        """Replace the stored bytes, which are gzip, by those that they unpack to."""
        packed = self._file
        try:
            self._place.forget()  # the packed bytes stay readable until they are closed
            self._file, _ = self._place.open()
            gunzip = Gunzip(self._write)
            for at in range(0, os.fstat(packed).st_size, _PIECE):
                gunzip.update(os.pread(packed, _PIECE, at))
        finally:
            if self._file != packed:
                os.close(packed)

    def note_ends(self, head: int, tail: int) -> None:
        """Note that the bytes before ``head``, and those from ``tail`` on, are stored."""
        self._place.note(f"{self.etag}\n{head} {tail} {self._whole}")

    def end(self) -> None:
        """Remove the note: all bytes are stored, so a later try has nothing to continue."""
        if self._is_noted:
            self._place.unnote()
            self._is_noted = False


def _ends(written: str, size: int) -> tuple[int, int | None]:
    """Read where the head ends and the tail begins; a file shorter than the object has no whole tail."""
    match = _ENDS.fullmatch(written)
    if match is None:
        return 0, None
    head, tail, whole = map(int, match.groups())
    return min(head, size), tail if head < tail and size == whole else None
