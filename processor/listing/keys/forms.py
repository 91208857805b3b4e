"""The forms of lists of keys: lines, CSV, JSONL. Each reads lines into keys and their facts."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs, unquote_plus

from processor.job import SIZE, VERSION_ID
from processor.listing.keys.columns import KEYS, MalformedError, columns, counts, entry_of
from processor.listing.page_parser import is_url
from processor.spreadsheet import unguarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from processor.listing.facts import Row

NULL_VERSION = "null"  # of an object from before versioning: a report of S3 Inventory leaves the cell empty
BOM = b"\xef\xbb\xbf"
PLAIN = "write the list as UTF-8, one key a line (PowerShell: Out-File -Encoding utf8)"
# The line under a header, or above it: of psql, mysql, sqlite3, DuckDB, Markdown and PowerShell.
_RULER = re.compile(rb"[ \t]*(?:[-+|=]|\xe2[\x94\x95].)(?:[-+|=: \t]|\xe2[\x94\x95].){2,}\r?", re.DOTALL)
_TOP = 4  # lines: a blank one, a ruler, a header, a ruler
Found = tuple[str, "Row"]


class Form(Protocol):
    """Reads lines."""

    @property
    def quoted(self) -> bool:
        """Whether a line that ends within double quotes continues in the next."""

    def read(self, lines: Sequence[bytes], *, is_first: bool) -> Iterator[Found]:
        """
        Yield keys with their facts.

        :param is_first: The lines begin the object.
        :raises MalformedError: A line does not have this form.
        """


@dataclass(frozen=True, slots=True)
class Lines:
    """A key a line, as it is; empty lines count for nothing."""

    names: Sequence[str]
    quoted: bool = False

    def read(self, lines: Sequence[bytes], *, is_first: bool) -> Iterator[Found]:
        """Yield the keys."""
        nothing = (None,) * len(self.names)
        for line in _unmarked(lines, is_first=is_first):
            key = _text(line)
            if "\0" in key:
                raise MalformedError(f"contains a NUL byte: {PLAIN}")
            if key:
                yield key, nothing


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A JSON object with ``key`` a line, as in a manifest or a listing of S3, or a JSON string; of one bucket."""

    names: Sequence[str]
    bucket: str | None = None
    quoted: bool = False

    def read(self, lines: Sequence[bytes], *, is_first: bool) -> Iterator[Found]:
        """Yield the keys, with the facts beside them."""
        for line in _unmarked(lines, is_first=is_first):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                raise MalformedError("is not JSON") from None
            entry = entry_of(found, self.bucket) if isinstance(found, dict) else {"key": found}
            if entry is None:
                continue
            key = entry.get("key")
            if not isinstance(key, str) or not key:
                raise MalformedError("has no key")
            yield key, tuple(_fact(name, _value_of(entry, name)) for name in self.names)


@dataclass(frozen=True, slots=True)
class CommaSeparated:
    """
    CSV (RFC 4180).

    :param columns:    What each column holds, by our names; ``None`` for others.
    :param has_head:   The first line is a header.
    :param is_encoded: Keys are URL-encoded, as S3 writes and wants them where there is no header.
    :param bucket:     The only bucket that rows may name.
    :param delimiter:  The character between two cells.
    :param is_spaced:  A blank follows each delimiter, as in the header.
    """

    names: Sequence[str]
    columns: Sequence[str | None]
    has_head: bool
    is_encoded: bool = False
    bucket: str | None = None
    delimiter: str = ","
    is_spaced: bool = False
    quoted: bool = True

    def read(self, lines: Sequence[bytes], *, is_first: bool) -> Iterator[Found]:
        """Yield the keys; delete markers and versions that are not the latest count for nothing."""
        is_ours = {"url", "expires_at"} <= set(self.columns)  # ``export --as csv`` writes formulas as text
        read = rows(_unmarked(lines, is_first=is_first), self.delimiter, strict=True, is_spaced=self.is_spaced)
        for number, written in enumerate(read):
            if not written or (is_first and self.has_head and not number):
                continue
            row = [unguarded(cell) for cell in written] if is_ours else written
            cells = {name: cell for name, cell in zip(self.columns, row, strict=False) if name is not None}
            if self._is_head_again(cells, row) or not counts(cells, self.bucket):
                continue
            key = cells.get("key", "")
            if not key:
                raise MalformedError("has no key")
            if not self.has_head and cells.get(VERSION_ID) == "":
                cells[VERSION_ID] = NULL_VERSION
            yield self._decoded(key), tuple(_fact(name, _value_of(cells, name)) for name in self.names)

    def _is_head_again(self, cells: Mapping[str, str], row: Sequence[str]) -> bool:
        """Whether files were joined with their headers here; a key may be called key, but hardly key,size."""
        may_be = self.has_head and len(cells) > 1 and cells.get("key", "").strip().lower() in KEYS
        return may_be and columns(row) == self.columns

    def _decoded(self, key: str) -> str:
        if not self.is_encoded:
            return key
        if not is_url(key):
            raise MalformedError("has a key that is not URL-encoded: for plain keys, add the first line bucket,key")
        return unquote_plus(key, errors="surrogateescape")


def _unmarked(lines: Sequence[bytes], *, is_first: bool) -> Iterator[bytes]:
    """
    Yield lines without the mark that Windows programs begin a file with.

    :raises MalformedError: They are a table for readers, whose cells have blanks around them.
    """
    for number, line in enumerate(lines):
        if is_first and number < _TOP and _RULER.fullmatch(line):
            raise MalformedError(
                "is part of a table for readers: write only the keys, one a line (psql -At, mysql -BN, PowerShell: "
                "Select-Object -ExpandProperty Key)"
            )
        yield line.removeprefix(BOM) if is_first and not number else line


def rows(
    lines: Iterable[bytes], delimiter: str, *, strict: bool = False, is_spaced: bool = False
) -> Iterator[list[str]]:
    """
    Yield the cells of each line.

    :param strict:    Whether quotes must be those of RFC 4180; else a cell ``"a"b`` is ``ab``, another key.
    :param is_spaced: Whether blanks after a delimiter do not count.
    :raises MalformedError: They are not CSV.
    """
    texts = (_text(line) + "\n" for line in lines)
    try:
        yield from csv.reader(texts, delimiter=delimiter, strict=strict, skipinitialspace=is_spaced)
    except csv.Error:
        raise MalformedError('is not CSV: lines end with LF, and quotes in a cell are doubled ("a""b.pdf")') from None


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="surrogateescape")


def _value_of(entry: Mapping[str, object], name: str) -> object:
    """Return a value of an entry; the version of a manifest's line, also as CSV, is in its URL."""
    found, url = entry.get(name), entry.get("url")
    if found is not None or name != VERSION_ID or not isinstance(url, str):
        return found
    return next(iter(parse_qs(url.partition("?")[2]).get("versionId", ())), None)


def _fact(name: str, value: object) -> str | None:
    """Return a fact as a listing has it; ``None`` for a size that is not a number."""
    if value is None or value == "" or isinstance(value, bool | dict | list | float):
        return None
    text = str(value)
    return text if name != SIZE or (text.isascii() and text.isdigit()) else None
