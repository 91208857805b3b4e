"""The files of an S3 Inventory report in Parquet, a row group at a time, and only the columns needed."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from processor.errors import SourceRefusedError
from processor.job import SIZE, VERSION_ID
from processor.listing.facts import as_s3_writes
from processor.listing.keys.columns import MalformedError, columns
from processor.listing.keys.forms import NULL_VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from processor.listing.keys.forms import Found
    from processor.listing.keys.object_lines import ObjectLines

MISSING = "needs the package pyarrow: pip install 'presign-siblings[parquet]', or let S3 write the report in CSV"
_MARK, _TAIL = b"PAR1", 8  # the footer's length in four bytes, and the mark after it
_NEEDED = frozenset({"key", "bucket", "is_latest", "is_delete_marker"})


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """
    Reads files in Parquet.

    :param names:  Facts that are wanted of each key.
    :param bucket: The only bucket that rows may name.
    """

    names: Sequence[str]
    bucket: str

    async def rows(self, file: ObjectLines, start: int, most: int) -> AsyncGenerator[tuple[list[Found], int]]:
        """
        Yield keys with their facts, each time with the number of the next row.

        :param start: Number of the first row.
        :param most:  How many rows at once.
        :raises SourceRefusedError: The file is damaged, or pyarrow is not installed.
        :raises MalformedError: A row has no key, or names another bucket.
        """
        await file.check_md5()
        sparse = _Sparse(file.size)
        metadata = await self._metadata(file, sparse)
        named = enumerate(columns(metadata.schema.names))
        chosen = {place: name for place, name in named if name is not None and self._wants(name)}
        if "key" not in chosen.values():
            raise SourceRefusedError(f"{file} has no column of keys")
        first = 0
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            after = first + group.num_rows
            if after > start:
                await self._fetch(file, sparse, [group.column(place) for place in chosen])
                table = _read(file, sparse, metadata, number, [metadata.schema.names[place] for place in chosen])
                for place in range(max(start, first), after, most):
                    some = table.slice(place - first, most)
                    cells = dict(zip(chosen.values(), (column.to_pylist() for column in some.columns), strict=True))
                    yield list(self._found(cells)), place + some.num_rows
            first = after

    def _wants(self, name: str) -> bool:
        return name in _NEEDED or name in self.names

    async def _metadata(self, file: ObjectLines, sparse: _Sparse) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Read the footer."""
        tail = await file.read(max(0, file.size - _TAIL), file.size)
        length = int.from_bytes(tail[:4], "little") + _TAIL
        if tail[4:] != _MARK or length > file.size:
            raise SourceRefusedError(f"{file} is not a Parquet file, or is cut off")
        sparse.hold(file.size - length, await file.read(file.size - length, file.size))
        return _opened(file, sparse, None).metadata

    async def _fetch(self, file: ObjectLines, sparse: _Sparse, chunks: Sequence[Any]) -> None:
        sparse.forget()
        for chunk in chunks:
            starts = [chunk.data_page_offset]
            starts += [chunk.dictionary_page_offset] if chunk.has_dictionary_page else []
            first = min(starts)
            sparse.hold(first, await file.read(first, first + chunk.total_compressed_size))

    def _found(self, cells: dict[str, list[Any]]) -> Iterator[Found]:
        count = len(cells["key"])
        buckets = cells.get("bucket", [self.bucket] * count)
        latest, markers = cells.get("is_latest", [True] * count), cells.get("is_delete_marker", [False] * count)
        if VERSION_ID in cells:
            cells[VERSION_ID] = [version or NULL_VERSION for version in cells[VERSION_ID]]
        facts = zip(*(cells.get(name, [None] * count) for name in self.names), strict=True)
        rows = facts if self.names else iter([()] * count)
        for key, bucket, is_latest, is_marker, row in zip(cells["key"], buckets, latest, markers, rows, strict=True):
            if is_latest is False or is_marker:
                continue
            if not key:
                raise MalformedError("has no key")
            if bucket != self.bucket:
                raise MalformedError("names another bucket than the job")
            yield key, tuple(_as_text(name, value) for name, value in zip(self.names, row, strict=True))


class _Sparse(io.RawIOBase):
    """A file of which some parts are there; the last of them, the footer, stays."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._at = size, 0
        self._parts: list[tuple[int, bytes]] = []

    def hold(self, start: int, data: bytes) -> None:
        """Take a part."""
        self._parts.append((start, data))

    def forget(self) -> None:
        """Drop all parts but the footer."""
        del self._parts[1:]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """Return bytes; those of no part are zeros: pyarrow looks at some before the footer, and uses none of them."""
        end = self._size if size < 0 else min(self._size, self._at + size)
        found = bytearray(max(0, end - self._at))
        for start, data in self._parts:
            first, last = max(start, self._at), min(start + len(data), end)
            if first < last:
                found[first - self._at : last - self._at] = data[first - start : last - start]
        self._at += len(found)
        return bytes(found)


def _opened(file: ObjectLines, sparse: _Sparse, metadata: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    if find_spec("pyarrow") is None:
        raise SourceRefusedError(f"{file} is in Parquet, which {MISSING}")
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    try:
        return parquet.ParquetFile(sparse, metadata=metadata, pre_buffer=False)
    except (OSError, pyarrow.ArrowException) as error:
        raise SourceRefusedError(f"{file} is a damaged Parquet file") from error


def _read(file: ObjectLines, sparse: _Sparse, metadata: Any, number: int, names: Sequence[str]) -> Any:  # noqa: ANN401
    opened = _opened(file, sparse, metadata)
    try:
        return opened.read_row_group(number, columns=list(names), use_threads=False).select(list(names))
    except (OSError, import_module("pyarrow").ArrowException) as error:
        raise SourceRefusedError(f"{file} is a damaged Parquet file") from error


def _as_text(name: str, value: object) -> str | None:
    """Return a fact as a listing has it."""
    if isinstance(value, datetime):
        return as_s3_writes(value)
    if value is None or value == "" or (name == SIZE and not isinstance(value, int)):
        return None
    return str(value)
