"""How keys and URLs become the manifest's JSON lines."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING

from processor.job import SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Row = tuple[str | None, ...]
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
    for start in range(0, len(urls), step):
        some = zip(keys[start : start + step], urls[start : start + step], strict=True)
        if facts is None or not names:
            written = [f'{{"key": {encode(key)}, "url": "{url}"}}\n' for key, url in some]
        else:
            told = _texts(names, [facts[key] for key in keys[start : start + step]])
            written = [
                f'{{"key": {encode(key)}, {text}"url": "{url}"}}\n' for (key, url), text in zip(some, told, strict=True)
            ]
        yield "".join(written).encode("ascii")


def _texts(names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return what stands between key and URL in each line."""
    encode = encode_basestring_ascii
    template = "".join(f'"{name}": %s, ' for name in names)
    columns = [
        ["null" if value is None else value if name == SIZE else encode(value) for value in column]
        for name, column in zip(names, zip(*rows, strict=True), strict=False)
    ]
    return [template % row for row in zip(*columns, strict=True)]
