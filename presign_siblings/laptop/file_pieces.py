"""Pieces of a manifest as files on this machine, in a folder beside its own file, readable by their owner alone."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

import aiofiles
from aiofiles.threadpool import wrap

from presign_siblings.defaults import PRIVATE
from presign_siblings.errors import WrongUseError, naming
from processor.errors import PieceLostError
from processor.job import Piece
from processor.manifest import Bodies, Body

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PRIVATE_FOLDER = 0o700
PART = 1 << 20  # bytes; a file takes any number at once, and what a range still holds at its end is copied twice
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class FilePieceStore:
    """
    Pieces as files in a folder beside the manifest's own.

    :param path:   The manifest's file.
    :param holder: Names this hop.
    """

    part = PART
    most_held = 64 * PART  # a reader never holds more than a part

    def __init__(self, path: Path, holder: str) -> None:
        self.folder, self._holder, self._named = unfinished(path), holder, 0
        self.bodies = Bodies(self.part)

    async def put(self, body: Body) -> asyncio.Task[Piece]:
        """Store a short piece; the piece is on the disk before anything counts it."""
        piece = self.open()
        await piece.add(body)
        return asyncio.create_task(piece.close())

    def open(self) -> FilePiece:
        """Begin a longer piece."""
        make_folder(self.folder)
        self._named += 1
        return FilePiece(self.folder, f"{self._holder}-{self._named:06d}")

    async def read(self, piece: Piece, start: int, end: int) -> bytes:
        """
        Read some of a piece's bytes.

        :raises PieceLostError: The piece is gone, or shorter than it was.
        """
        async with aiofiles.open(self.path(piece), "rb") as file:
            await file.seek(start)
            return await file.read(end - start)

    def path(self, piece: Piece) -> Path:
        """
        Return where a piece lies.

        :raises PieceLostError: The piece is gone, or shorter than it was.
        """
        path = self.folder / piece.key
        if not path.is_file() or path.stat().st_size != piece.size:
            raise PieceLostError(f"{path} is gone, or not as long as its checkpoint says")
        return path

    async def discard(self, keys: Iterable[str]) -> None:
        """Delete pieces, and their folder once it is empty."""
        # Deleting large files takes a file system some time.
        await asyncio.gather(*(asyncio.to_thread((self.folder / key).unlink, missing_ok=True) for key in keys))
        with suppress(OSError):
            self.folder.rmdir()


class FilePiece:
    """A piece that is being written."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path, self._key, self.size = folder / name, name, 0
        self._file = wrap(create(self._path))

    async def store(self, data: bytes | memoryview) -> None:
        """Write some bytes."""
        self.size += len(data)
        with naming(self._path):
            await self._file.write(data)

    async def add(self, body: Body) -> None:
        """Write a part."""
        await self.store(body.getbuffer())

    async def close(self) -> Piece:
        """Return the piece once it is on the disk."""
        with naming(self._path):
            try:
                await self._file.flush()
                await asyncio.to_thread(os.fsync, self._file.fileno())
            finally:
                await self._file.close()
        return Piece(self._key, self.size)

    async def abort(self) -> None:
        """Drop the piece."""
        await self._file.close()
        self._path.unlink(missing_ok=True)


def unfinished(path: Path) -> Path:
    """Return the folder in which the bytes of a manifest lie until it is whole."""
    return path.with_name(f"{path.name}.part")


def make_folder(folder: Path) -> None:
    """
    Make the folder of a manifest's pieces, for its owner alone.

    :raises WrongUseError: It is another user's.
    """
    if folder.is_file():
        folder.unlink()  # the first version's; its checkpoint lets the run begin again
    folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
    if folder.is_symlink() or not _is_ours(folder):
        raise WrongUseError(f"{folder} belongs to another user; remove it, or choose another place")


def _is_ours(folder: Path) -> bool:
    """Return whether new files get the owner of their folder: a network share may give all files another owner."""
    owner = folder.stat().st_uid
    if owner == os.geteuid():
        return True
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_uid == owner
    except PermissionError:
        return False


def create(path: Path) -> BinaryIO:
    """Open a new file, for its owner alone; an existing file or link is not touched."""
    return os.fdopen(os.open(path, _NEW, PRIVATE), "wb")
