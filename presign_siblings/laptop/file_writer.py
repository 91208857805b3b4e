"""The manifest as a file on this machine: the same bytes as in S3, with the same ends, readable by its owner alone."""

from __future__ import annotations

import asyncio
import errno
import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import aiofiles
from isal import isal_zlib

from processor.errors import CheckpointLostError, ManifestTakenError
from processor.job import GZIP, Upload
from processor.manifest import Encoding, Gzip, Plain

if TYPE_CHECKING:
    from pathlib import Path

    from processor.job import Job

BUFFER = 1 << 20  # bytes; each write to the file is a change of threads
PRIVATE = 0o600  # a manifest holds live URLs


class ManifestFile:
    """
    Writes a manifest to a file, which appears whole under its name or not at all.

    :param path:   The file; until the end its bytes are in ``unfinished(path)``.
    :param job:    Names the compression.
    :param upload: Where an earlier hop stopped: bytes after that place are cut off.
    """

    def __init__(self, path: Path, job: Job, upload: Upload) -> None:
        self._path, self._part = path, unfinished(path)
        self._encoding: Encoding = Gzip(is_first=upload.size == 0) if job.compression == GZIP else Plain()
        self._begin, self.size = upload.size, upload.size
        self._length, self._crc32 = upload.length, upload.crc32
        self._buffer = io.BytesIO()
        self._file: aiofiles.threadpool.binary.AsyncBufferedIOBase | None = None
        self.next_part = 1

    async def write(self, data: bytes) -> None:
        """Take lines."""
        self._length += len(data)
        self._crc32 = isal_zlib.crc32(data, self._crc32)
        await self._store(self._encoding.encode(data))

    async def commit(self) -> None:
        """
        Let the whole file appear under its name.

        :raises ManifestTakenError: Another file has the name; it is never replaced.
        """
        await self._store(self._encoding.finish(self._length, self._crc32))
        await self._close()
        try:
            _appear(self._part, self._path)
        except FileExistsError as error:
            raise ManifestTakenError(f"{self._path} has appeared meanwhile; it is not replaced") from error

    async def suspend(self) -> Upload:
        """Write everything to the disk, and return what the next hop needs."""
        await self._store(self._encoding.cut())
        await self._close()
        return Upload(size=self.size, length=self._length, crc32=self._crc32)

    async def abort(self, *, forget: bool) -> None:
        """
        Stop.

        :param forget: Remove the bytes too, because no checkpoint will continue with them.
        """
        if self._file is not None:
            await self._file.close()
        if forget:
            self._part.unlink(missing_ok=True)

    async def is_committed(self) -> bool:
        """Return whether the file exists."""
        return self._path.exists()

    async def _store(self, encoded: bytes) -> None:
        self._buffer.write(encoded)
        self.size += len(encoded)
        if self._buffer.tell() >= BUFFER:
            await self._flush()

    async def _flush(self) -> None:
        file = await self._opened()
        await file.write(self._buffer.getbuffer())
        self._buffer = io.BytesIO()

    async def _opened(self) -> aiofiles.threadpool.binary.AsyncBufferedIOBase:
        """Open the unfinished file at the place that the checkpoint has counted up to."""
        if self._file is None:
            descriptor = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE)
            os.fchmod(descriptor, PRIVATE)
            if os.fstat(descriptor).st_size < self._begin:
                os.close(descriptor)
                raise CheckpointLostError(f"{self._part} is shorter than its checkpoint says")
            os.truncate(descriptor, self._begin)
            self._file = await aiofiles.open(descriptor, "r+b")
            await self._file.seek(self._begin)
        return self._file

    async def _close(self) -> None:
        """Write the rest, and wait until the disk has it, before a checkpoint counts it."""
        await self._flush()
        file = await self._opened()
        await file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
        await file.close()
        self._file = None
        self._begin = self.size


def _appear(part: Path, path: Path) -> None:
    """Give the bytes their name; unlike a rename, a link never replaces."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}:
            raise
        if path.exists():  # no hard links on this file system: checking first must do
            raise FileExistsError(path) from error
        part.rename(path)
    else:
        part.unlink()


def unfinished(path: Path) -> Path:
    """Return where the bytes of a manifest are until it is whole."""
    return path.with_name(f"{path.name}.part")


def forget(path: Path) -> None:
    """Remove the bytes of an unfinished manifest."""
    with suppress(FileNotFoundError):
        unfinished(path).unlink()
