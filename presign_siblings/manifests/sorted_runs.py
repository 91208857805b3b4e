"""Entries in any order as sorted runs in temporary files, so that memory stays flat whatever their number."""

from __future__ import annotations

import io
import json
import os
from dataclasses import fields
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from presign_siblings.manifests.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

RUN = 50_000  # lines that are sorted in memory at once


def sorted_runs(entries: Iterator[Entry], stack: ExitStack) -> Iterator[Iterator[Entry]]:
    """Yield entries in sorted runs, each from a temporary file that closes with ``stack``."""
    while some := list(islice(entries, RUN)):
        file = stack.enter_context(unnamed())
        some.sort(key=of_key)
        file.writelines(f"{json.dumps(_fields(entry))}\n".encode() for entry in some)
        file.flush()
        yield _read(file)


def _fields(entry: Entry) -> list[object]:
    return [getattr(entry, each.name) for each in fields(Entry)]


def _read(file: BinaryIO) -> Iterator[Entry]:
    for line in io.BufferedReader(Placed(file)):
        yield Entry(*json.loads(line))


def of_key(entry: Entry) -> str:
    """Return what the order is by."""
    return entry.key


def unnamed() -> BinaryIO:
    """Open a file that has no name, and vanishes with the process."""
    import tempfile  # noqa: PLC0415 - a file in order, which most manifests are, needs none

    return tempfile.TemporaryFile()


class Placed(io.RawIOBase):
    """A file that is read from a place of its own: copies of this process share that of the file."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._at = file, 0

    def readable(self) -> bool:
        """Return that the stream is readable."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read bytes into a buffer."""
        data = os.pread(self._file.fileno(), len(buffer), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
