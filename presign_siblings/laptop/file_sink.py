"""The manifest as a file on this machine: the same bytes as in S3, complete or absent, readable by its owner alone."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from presign_siblings.appearing import NOT_HERE, appear
from presign_siblings.errors import naming
from presign_siblings.laptop.file_pieces import FilePieceStore, create, make_folder, unfinished
from processor.errors import ManifestTakenError
from processor.job import Piece
from processor.manifest import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from processor.job import CommitState
    from processor.manifest import Whole


class FileComposer:
    """
    Puts the manifest's file together: it appears whole under its name or not at all.

    :param path:   The file.
    :param pieces: Where the pieces lie.
    """

    def __init__(self, path: Path, pieces: FilePieceStore) -> None:
        self._path, self._pieces = path, pieces

    async def found(self) -> Mapping[str, str] | None:
        """Return ``None`` unless the file exists; a file carries no facts, so they are empty."""
        return {} if self._path.exists() else None

    async def compose(
        self,
        whole: Whole,
        about: Mapping[str, str],
        state: CommitState | None,  # noqa: ARG002 - a file is put together in one go
        time_left: Callable[[], float],  # noqa: ARG002 - as the state
    ) -> Mapping[str, str]:
        """
        Put the file together; it never replaces another.

        :raises ManifestTakenError: Another file has the name; the manifest lies beside it.
        :raises PieceLostError: A piece is gone.
        """
        with naming(self._path):
            await asyncio.to_thread(self._compose, whole)
        return about

    async def forget(self, state: CommitState) -> None:
        """Do nothing: a file is never half put together."""

    def _compose(self, whole: Whole) -> None:
        make_folder(self._pieces.folder)
        made = self._pieces.folder / "whole"
        made.unlink(missing_ok=True)
        try:
            self._write(whole, made)
        except OSError:  # half a file is of no use, and keeps a full disk full
            made.unlink(missing_ok=True)
            with suppress(OSError):
                self._pieces.folder.rmdir()
            raise
        try:
            appear(made, self._path)
        except FileExistsError as error:
            beside = _appear_beside(made, self._path)
            raise ManifestTakenError(
                f"{self._path} appeared during the run, and is not replaced: the manifest is {beside}"
            ) from error

    def _write(self, whole: Whole, made: Path) -> None:
        """Write the sources one after the other."""
        with create(made) as file:
            for source in whole.sources:
                if isinstance(source, Piece):
                    file.flush()
                    _append(self._pieces.path(source), file.fileno(), source.size)
                    file.seek(0, os.SEEK_END)
                else:
                    file.write(source.getbuffer())
            file.flush()
            os.fsync(file.fileno())


def open_file_sink(path: Path, holder: str) -> Sink:
    """
    Open a run's place in a file.

    :param holder: Names this hop.
    """
    pieces = FilePieceStore(path, holder)
    return Sink(pieces, FileComposer(path, pieces))


def is_finished(path: Path) -> bool:
    """Return whether a run was killed after its manifest had appeared, before it cleaned up."""
    whole = unfinished(path) / "whole"
    return whole.exists() and path.exists() and whole.samefile(path)


def forget(path: Path) -> None:
    """Remove the bytes of an unfinished manifest; the first version kept them in a file of that name."""
    found = unfinished(path)
    if found.is_dir() and not found.is_symlink():
        shutil.rmtree(found)
    else:
        found.unlink(missing_ok=True)


def _append(path: Path, descriptor: int, size: int) -> None:
    """Append a file's bytes: inside the kernel and copied on write, where the file system can."""
    with path.open("rb") as source:
        try:
            while size and (copied := os.copy_file_range(source.fileno(), descriptor, size)):
                size -= copied
        except (OSError, AttributeError) as error:  # other systems than Linux have no such call
            if isinstance(error, OSError) and error.errno not in NOT_HERE:
                raise
            with os.fdopen(os.dup(descriptor), "wb") as target:
                shutil.copyfileobj(source, target)


def _appear_beside(made: Path, path: Path) -> Path:
    """Give the bytes the first free name beside one that is taken; return it."""
    for number in count(1):
        beside = path.with_name(f"{path.name}.{number}")
        with suppress(FileExistsError):
            appear(made, beside)
            break
    return beside
