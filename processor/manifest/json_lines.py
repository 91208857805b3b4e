"""How keys and URLs become the manifest's JSON lines."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING

from processor.job import SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Row = tuple[str | None, ...]
_BETWEEN, _ESCAPED = "\n", "\\n"  # as JSON writes it
BLOCK = 1 << 16  # bytes; glibc's malloc takes from 128 KiB on fresh pages from the kernel


def lines(
    keys: Sequence[str], urls: Sequence[str], names: Sequence[str] = (), facts: Mapping[str, Row] | None = None
) -> Iterator[bytes]:
    """
    Yield the manifest's lines, some at a time; a presigned URL holds nothing that JSON escapes.

    A page's lines in one block would be fresh memory from the kernel each time, and its page faults cost several times
    what the formatting does.

    :param names: Facts that stand between key and URL.
    :param facts: Rows that begin with these, by key, as S3 writes them.
    """
    encode = encode_basestring_ascii
    step = max(1, BLOCK // len(urls[0])) if urls else 1
    told = _texts(names, [facts[key] for key in keys]) if facts is not None and names and keys else None
    for start in range(0, len(urls), step):
        end = start + step
        some = zip(keys[start:end], urls[start:end], strict=True)
        if told is None:
            written = [f'{{"key": {encode(key)}, "url": "{url}"}}\n' for key, url in some]
        else:
            both = zip(some, told[start:end], strict=True)
            written = [f'{{"key": {encode(key)}, {text}"url": "{url}"}}\n' for (key, url), text in both]
        yield "".join(written).encode("ascii")


def _texts(names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return what stands between key and URL in each line."""
    found = [_column(name, column) for name, column in zip(names, zip(*rows, strict=True), strict=False)]
    template = "".join(f'"{name}": {form}, ' for name, (form, _) in zip(names, found, strict=True))
    return [template % row for row in zip(*(column for _, column in found), strict=True)]


def _column(name: str, values: Sequence[str | None]) -> tuple[str, Sequence[str]]:
    """Return how a value stands in a line, and the values for it; all texts of a page are escaped in one."""
    told = [value for value in values if value is not None]
    if len(told) == len(values) and name == SIZE:
        return "%s", told
    whole = _BETWEEN.join(told)
    if len(told) == len(values) and "\\" not in whole:
        escaped = encode_basestring_ascii(whole)[1:-1].split(_ESCAPED)
        if len(escaped) == len(values):  # else one of them holds what stands between them
            return '"%s"', escaped
    encode = str if name == SIZE else encode_basestring_ascii
    return "%s", ["null" if value is None else encode(value) for value in values]
