"""
``Content-Disposition`` for a batch of keys, by RFC 6266, and encoded for a presigned URL's query.

A name of plain ASCII is a quoted string. Any other name has two forms: ``filename`` in ASCII, with ``_``
for letters that old clients cannot read, and after it ``filename*`` in UTF-8 (RFC 8187).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from processor.signing import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a quoted string may safely hold: printable ASCII except quote, backslash, percent (RFC 6266, D), and the
# semicolon, where some readers end the string.
_QUOTABLE = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\%;')
_LINE_FEED = 0x0A
_TO_ASCII = bytes(byte if byte in _QUOTABLE or byte == _LINE_FEED else ord("_") for byte in range(256))


def value(disposition: str, name: str) -> str:
    """
    Return the header's value.

    :param disposition: ``inline`` or ``attachment``.
    :param name:        The file's name.
    """
    extended = quote(name, safe="")
    if extended == name:
        return f'{disposition}; filename="{name}"'
    return f"{disposition}; filename=\"{_ascii(name)}\"; filename*=UTF-8''{extended}"


def encoded(disposition: str, names: Sequence[str]) -> list[str]:
    """Return the values for several names, percent-encoded for a query: ``quote(value(...), safe="")`` of each."""
    whole = "\n".join(names)
    if whole.count("\n") != len(names) - 1:
        return [quote(value(disposition, name), safe="") for name in names]
    head, tail = f"{disposition}%3B%20filename%3D%22", "%22%3B%20filename%2A%3DUTF-8%27%27"
    extended = _quoted(whole.encode())
    if extended == whole:
        return [f"{head}{name}%22" for name in names]
    fallback = _quoted(whole.encode("ascii", "replace").replace(b"?", b"_").translate(_TO_ASCII))
    twice = extended.replace("%", "%25")
    return [
        f"{head}{name}%22" if name == star else f"{head}{plain}{tail}{star}"
        for name, plain, star in zip(names, fallback.split("\n"), twice.split("\n"), strict=True)
    ]


def _ascii(name: str) -> str:
    return name.encode("ascii", "replace").replace(b"?", b"_").translate(_TO_ASCII).replace(b"\n", b"_").decode()


def _quoted(whole: bytes) -> str:
    """Percent-encode bytes, except the line feeds between the names."""
    return percent.encoded(whole, percent.UNRESERVED + b"\n").decode("ascii")
