"""How keys and URLs become the manifest's JSON lines."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from operator import add
from typing import TYPE_CHECKING

from processor.job import SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from processor.urls import Urls

Row = tuple[str | None, ...]
_BETWEEN, _ESCAPED = "\n", "\\n"  # as JSON writes it
_KEY, _URL, _LINE_END = '{"key": ', ', "url": "', '"}\n'
_QUOTE = '"'
_PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\')  # JSON writes these as they are
BLOCK = 120 << 10  # bytes; glibc's malloc takes from 128 KiB on fresh pages from the kernel


def lines(
    keys: Sequence[str], urls: Urls, names: Sequence[str] = (), facts: Mapping[str, Row] | None = None
) -> Iterator[bytes]:
    """
    Yield the manifest's lines, some at a time; a presigned URL holds nothing that JSON escapes.

    A page's lines in one block would be fresh memory from the kernel each time, and its page faults cost several times
    what the formatting does.

    :param names: Facts between key and URL.
    :param facts: Rows that begin with these, by key, as S3 writes them.
    """
    quote = _QUOTE if _is_plain(keys) else ""
    started = keys if quote else list(map(encode_basestring_ascii, keys))
    first, url = _KEY + quote, quote + _URL
    if names and facts is not None and keys:
        started = list(map(add, started, _texts(names, [facts[key] for key in keys], quote)))
        url = _URL
    shared, own = [_LINE_END + first, url + urls.shared[0], *urls.shared[1:]], [started, *urls.own]
    line = [text for each in shared for text in (each, "")]
    step = max(1, BLOCK // (len(started[0]) + len(urls[0]))) if len(urls) else 1
    for start in range(0, len(urls), step):
        texts = line * len(keys[start : start + step])
        for place, column in enumerate(own):
            texts[2 * place + 1 :: len(line)] = column[start : start + step]
        texts[0] = first
        yield "".join([*texts, _LINE_END]).encode("ascii")


def _is_plain(keys: Sequence[str]) -> bool:
    """Return whether JSON escapes nothing in the keys, which is seen at once in all of them."""
    whole = "".join(keys)
    return whole.isascii() and not whole.encode().translate(None, _PLAIN)


def _texts(names: Sequence[str], rows: Sequence[Row], before: str) -> list[str]:
    """
    Return what follows the key in each line.

    :param before: The beginning of each of these texts.
    """
    found = [_column(name, column) for name, column in zip(names, zip(*rows, strict=True), strict=False)]
    template = before + "".join(f', "{name}": {form}' for name, (form, _) in zip(names, found, strict=True))
    return [template % row for row in zip(*(column for _, column in found), strict=True)]


def _column(name: str, values: Sequence[str | None]) -> tuple[str, Sequence[str]]:
    """Return the form of a value in a line, and the values for it; all texts of a page are escaped at once."""
    known = [value for value in values if value is not None]
    if len(known) == len(values) and name == SIZE:
        return "%s", known
    whole = _BETWEEN.join(known)
    if len(known) == len(values) and "\\" not in whole:
        escaped = encode_basestring_ascii(whole)[1:-1].split(_ESCAPED)
        if len(escaped) == len(values):  # else one of them holds the separator
            return '"%s"', escaped
    encode = str if name == SIZE else encode_basestring_ascii
    return "%s", ["null" if value is None else encode(value) for value in values]
