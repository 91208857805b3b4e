"""The manifest as a file on this machine: the same bytes as in S3, with the same ends, readable by its owner alone."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

import aiofiles
from aiofiles.threadpool import wrap

from presign_siblings.defaults import PRIVATE
from presign_siblings.errors import WrongUseError, naming
from processor.errors import ManifestTakenError, PieceLostError
from processor.job import Piece
from processor.manifest import Body, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from processor.job import CommitState
    from processor.manifest import Whole

PRIVATE_FOLDER = 0o700
PART = 1 << 20  # bytes; a file takes any number at once, and what a range still holds at its end is copied twice
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EXDEV})


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

    def body(self) -> Body:
        """Return an empty buffer."""
        return Body()

    def reuse(self, body: Body) -> None:
        """Let it go: the next one is as cheap."""

    async def put(self, body: Body) -> asyncio.Task[Piece]:
        """Store a short piece; it is on the disk before anything counts it."""
        piece = self.open()
        await piece.add(body)
        return asyncio.create_task(piece.close())

    def open(self) -> FilePiece:
        """Begin a longer one."""
        _make(self.folder)
        self._named += 1
        return FilePiece(self.folder, f"{self._holder}-{self._named:06d}")

    async def read(self, piece: Piece, start: int, end: int) -> bytes:
        """
        Read some of a piece's bytes.

        :raises PieceLostError: It is gone, or shorter than it was.
        """
        async with aiofiles.open(self.path(piece), "rb") as file:
            await file.seek(start)
            return await file.read(end - start)

    def path(self, piece: Piece) -> Path:
        """
        Return where a piece lies.

        :raises PieceLostError: It is gone, or shorter than it was.
        """
        path = self.folder / piece.key
        if not path.is_file() or path.stat().st_size != piece.size:
            raise PieceLostError(f"{path} is gone, or not as long as its checkpoint says")
        return path

    async def discard(self, keys: Iterable[str]) -> None:
        """Delete pieces, and their folder once it is empty."""
        # A file system takes its time to forget much at once.
        await asyncio.gather(*(asyncio.to_thread((self.folder / key).unlink, missing_ok=True) for key in keys))
        with suppress(OSError):
            self.folder.rmdir()


class FilePiece:
    """A piece that is being written."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path, self._key, self.size = folder / name, name, 0
        self._file = wrap(os.fdopen(os.open(self._path, _NEW, PRIVATE), "wb"))

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
        """Drop it."""
        await self._file.close()
        self._path.unlink(missing_ok=True)


class FileComposer:
    """
    Puts the manifest's file together: it appears whole under its name or not at all.

    :param path:   The file.
    :param pieces: Where the pieces lie.
    """

    def __init__(self, path: Path, pieces: FilePieceStore) -> None:
        self._path, self._pieces = path, pieces

    async def found(self) -> Mapping[str, str] | None:
        """Tell whether the file is there; it says nothing of itself."""
        return {} if self._path.exists() else None

    async def compose(
        self,
        whole: Whole,
        about: Mapping[str, str],
        state: CommitState | None,  # noqa: ARG002 - a file is put together in one go
        time_left: Callable[[], float],  # noqa: ARG002 - as the state
    ) -> Mapping[str, str]:
        """
        Put the file together; nobody takes its place.

        :raises ManifestTakenError: Another file stands there; the manifest stands beside it.
        :raises PieceLostError: A piece is gone.
        """
        with naming(self._path):
            await asyncio.to_thread(self._compose, whole)
        return about

    async def forget(self, state: CommitState) -> None:
        """Do nothing: a file is never half put together."""

    def _compose(self, whole: Whole) -> None:
        _make(self._pieces.folder)
        made = self._pieces.folder / "whole"
        made.unlink(missing_ok=True)
        try:
            self._write(whole, made)
        except OSError:  # a disk that is full stays so, unless what nobody can use goes
            made.unlink(missing_ok=True)
            with suppress(OSError):
                self._pieces.folder.rmdir()
            raise
        try:
            _appear(made, self._path)
        except FileExistsError as error:
            beside = _appear_beside(made, self._path)
            raise ManifestTakenError(
                f"{self._path} has appeared meanwhile, and is not replaced: the manifest is {beside}"
            ) from error

    def _write(self, whole: Whole, made: Path) -> None:
        """Write the sources one after the other."""
        with os.fdopen(os.open(made, _NEW, PRIVATE), "wb") as file:
            for source in whole.sources:
                if isinstance(source, bytes):
                    file.write(source)
                else:
                    file.flush()
                    _append(self._pieces.path(source), file.fileno(), source.size)
                    file.seek(0, os.SEEK_END)
            file.flush()
            os.fsync(file.fileno())


def open_file_sink(path: Path, holder: str) -> Sink:
    """
    Open a run's place in a file.

    :param holder: Names this hop.
    """
    pieces = FilePieceStore(path, holder)
    return Sink(pieces, FileComposer(path, pieces))


def unfinished(path: Path) -> Path:
    """Return the folder in which the bytes of a manifest lie until it is whole."""
    return path.with_name(f"{path.name}.part")


def is_finished(path: Path) -> bool:
    """Tell whether a manifest had appeared when its run was killed before the tidying."""
    whole = unfinished(path) / "whole"
    return whole.exists() and path.exists() and whole.samefile(path)


def forget(path: Path) -> None:
    """Remove the bytes of an unfinished manifest; the first version kept them in a file of that name."""
    found = unfinished(path)
    if found.is_dir() and not found.is_symlink():
        shutil.rmtree(found)
    else:
        found.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    """Make the folder, for its owner alone."""
    if folder.is_file():
        folder.unlink()  # the first version's; its checkpoint lets the run begin again
    folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise WrongUseError(f"{folder} is another's; remove it, or choose another --to")


def _append(path: Path, descriptor: int, size: int) -> None:
    """Append a file's bytes: inside the kernel where the file system can, as copies on write where it can do that."""
    with path.open("rb") as source:
        try:
            while size and (copied := os.copy_file_range(source.fileno(), descriptor, size)):
                size -= copied
        except (OSError, AttributeError) as error:  # other systems than Linux have no such call
            if isinstance(error, OSError) and error.errno not in _NOT_HERE:
                raise
            with os.fdopen(os.dup(descriptor), "wb") as target:
                shutil.copyfileobj(source, target)


def _appear(made: Path, path: Path) -> None:
    """Give the bytes their name; unlike a rename, a link never replaces."""
    try:
        os.link(made, path)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
        if path.exists():  # no hard links on this file system: a look must do
            raise FileExistsError(path) from error
        made.rename(path)
    else:
        made.unlink()


def _appear_beside(made: Path, path: Path) -> Path:
    """Give the bytes the first free name beside one that is taken; return it."""
    for number in count(1):
        beside = path.with_name(f"{path.name}.{number}")
        with suppress(FileExistsError):
            _appear(made, beside)
            break
    return beside
