"""Entries in any order as sorted runs in temporary files, so that memory stays flat whatever their number."""

from __future__ import annotations

import io
import json
import os
from contextlib import contextmanager, suppress
from dataclasses import fields
from itertools import islice
from typing import IO, TYPE_CHECKING, BinaryIO, TypeVar

from presign_siblings.errors import naming
from presign_siblings.manifests.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

T = TypeVar("T", bound=IO[bytes])
RUN = 50_000  # lines that are sorted in memory at once


def sorted_runs(entries: Iterator[Entry], file: BinaryIO) -> Iterator[Iterator[Entry]]:
    """
    Yield entries in sorted runs.

    :param file: Temporary; holds all runs, since a system may let a process open no more than 256 files.
    """
    first = 0
    while some := list(islice(entries, RUN)):
        some.sort(key=of_key)
        with naming_temporary():
            file.writelines(f"{json.dumps(_fields(entry))}\n".encode() for entry in some)
            file.flush()
        end = file.tell()
        yield _read(Placed(file, first, end))
        first = end


def _fields(entry: Entry) -> list[object]:
    return [getattr(entry, each.name) for each in fields(Entry)]


def _read(run: Placed) -> Iterator[Entry]:
    for line in io.BufferedReader(run):
        yield Entry(*json.loads(line))


def of_key(entry: Entry) -> str:
    """Return the sort key of an entry."""
    return entry.key


def unnamed() -> AbstractContextManager[BinaryIO]:
    """Open a file that has no name, and vanishes with the process."""
    import tempfile  # noqa: PLC0415 - a file in order, which most manifests are, needs none

    return passing(tempfile.TemporaryFile())


@contextmanager
def passing(file: T) -> Iterator[T]:
    """Close a temporary file behind the block; what a full disk did not take of it was told, and is tried once more."""
    try:
        yield file
    finally:
        with suppress(OSError):
            file.close()


@contextmanager
def naming_temporary() -> Iterator[None]:
    """Name the folder of temporary files in an error about a full disk, since no argument names it."""
    import tempfile  # noqa: PLC0415 - as above

    with naming(f"{tempfile.gettempdir()}, which holds temporary files (TMPDIR names another folder)"):
        yield


class Placed(io.RawIOBase):
    """
    A file, or a part of it, read from its own position: copies of this process share the file's.

    :param at:  Where the part begins.
    :param end: Where it ends; ``None`` is the end of the file.
    """

    def __init__(self, file: BinaryIO, at: int = 0, end: int | None = None) -> None:
        super().__init__()
        self._file, self._at, self._end = file, at, end

    def readable(self) -> bool:
        """Return that the stream is readable."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read bytes into a buffer."""
        most = len(buffer) if self._end is None else min(len(buffer), self._end - self._at)
        data = os.pread(self._file.fileno(), most, self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
