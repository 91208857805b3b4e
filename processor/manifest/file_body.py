"""Parts on the disk: what many readers have ready for S3 would take a part of memory each."""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import TYPE_CHECKING

from processor.manifest.piece_store import Body

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class FileBody(Body):
    """
    A part's bytes in a file that has no name, and ends with this object.

    It remains a ``BytesIO``: other files are read by aiohttp in a thread, block by block.

    :param file: Descriptor of an empty file, opened for reading and writing.
    """

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file
        self._at = self._end = 0

    def close(self) -> None:
        """Drop the bytes; whoever touches them later gets an error, and not the next file of this descriptor."""
        if not self.closed:
            file, self._file = self._file, -1
            os.close(file)
        super().close()

    def write(self, data: ReadableBuffer, /) -> int:
        """Write at the place, and move it."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            written = os.pwrite(self._file, left, self._at)
            self._at += written
            left = left[written:]
        self._end = max(self._end, self._at)
        return size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next block, or all that is left."""
        left = self._end - self._at
        data = os.pread(self._file, left if size is None or size < 0 else min(left, self.block(size)), self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the place."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def truncate(self, size: int | None = None, /) -> int:
        """End at the place, or after a number of bytes; the room stays reserved."""
        self._end = self._at if size is None else size
        return self._end

    def reserve(self, room: int) -> None:
        """
        Make room for some bytes in all, so that no later write finds the disk full.

        :raises OSError: There is less.
        """
        os.posix_fallocate(self._file, 0, room)

    def release(self) -> None:
        """End at the place, and give the room after it back."""
        os.ftruncate(self._file, self.truncate())

    def getbuffer(self) -> memoryview:
        """Return all bytes; they take memory only where they are looked at."""
        nothing = super().getbuffer()  # a closed file is an error here; mmap would return zeros
        return memoryview(mmap.mmap(self._file, self._end, access=mmap.ACCESS_READ)) if self._end else nothing


def file_body() -> FileBody | None:
    """Return an empty part on the disk, or ``None`` where there is no place for it, or no way to reserve room."""
    if not hasattr(os, "posix_fallocate"):
        return None
    try:
        with tempfile.TemporaryFile() as file:
            return FileBody(os.dup(file.fileno()))
    except OSError:
        return None
