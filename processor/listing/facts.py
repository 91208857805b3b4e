"""Size, ETag, date and classes of a page's objects, taken out of its XML without an object for each."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from processor.job import CHECKSUM_TYPE, ETAG, LAST_MODIFIED, SIZE, STORAGE_CLASS, VERSION_ID
from processor.listing.page_parser import unescaped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = tuple[str | None, ...]  # one object's facts, as S3 writes them; ``None`` where it gives none
_TAGS = {
    SIZE: "Size",
    ETAG: "ETag",
    LAST_MODIFIED: "LastModified",
    STORAGE_CLASS: "StorageClass",
    CHECKSUM_TYPE: "ChecksumType",
    VERSION_ID: "VersionId",
}
_PATTERNS = {name: re.compile(f"<{tag}>([^<]*)</{tag}>".encode()) for name, tag in _TAGS.items()}
_DIGITS = re.compile("[0-9]*")
_END = b"</Contents>"


def of_page(body: bytes, keys: Sequence[str], names: Sequence[str]) -> dict[str, Row]:
    """
    Return some facts of a page's objects, by key.

    :param body:  The page as it came, of which every key was taken.
    :param keys:  The page's keys, in its order.
    :param names: Names of the facts, in the order of a row.
    """
    if not keys:
        return {}
    columns = [_column(body, name, len(keys)) for name in names]
    return dict(zip(keys, zip(*columns, strict=True), strict=True))


def of_objects(objects: Sequence[Mapping[str, Any]], keys: Sequence[str], names: Sequence[str]) -> dict[str, Row]:
    """Return the facts of objects that botocore's own parser has read."""
    rows = (tuple(_written(each.get(_TAGS[name])) for name in names) for each in objects)
    return dict(zip(keys, rows, strict=True))


def _column(body: bytes, name: str, count: int) -> Sequence[str | None]:
    first, end = body.find(b"<Contents>"), body.rfind(_END)
    found = _PATTERNS[name].findall(body, first, end)
    if len(found) == count:
        return _checked(name, _decoded(found))
    if not found:
        return [None] * count
    # Some object lacks the fact: then each object is searched by itself.
    each = [_PATTERNS[name].search(one) for one in body[first:end].split(_END)]
    return _checked(name, [None if match is None else unescaped(match[1].decode(errors="replace")) for match in each])


def _decoded(found: list[bytes]) -> list[str]:
    whole = b"\n".join(found).decode(errors="replace").replace("&quot;", '"')
    values = whole.split("\n")
    if len(values) != len(found):
        values = [value.decode(errors="replace").replace("&quot;", '"') for value in found]
    return [unescaped(value) for value in values] if "&" in whole else values


def _checked(name: str, values: Sequence[str | None]) -> Sequence[str | None]:
    """Return the values; ``None`` for an empty one, and for a size that is not a number."""
    whole = all(values)
    if name == SIZE and not (whole and _DIGITS.fullmatch("".join(values))):  # type: ignore[arg-type]
        return [value if value and value.isascii() and value.isdigit() else None for value in values]
    return values if whole else [value or None for value in values]


def as_s3_writes(at: datetime) -> str:
    """Return an instant as S3 writes it, so that dates compare as texts; one without an offset is UTC."""
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _written(value: object) -> str | None:
    """Return a value of botocore's parser as S3 wrote it."""
    if isinstance(value, datetime):
        return as_s3_writes(value)
    return None if value is None else str(value)
