"""The response headers that are signed into a URL: S3 answers with them when the URL is fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.errors import InvalidEventError
from processor.job import validation
from processor.job.template import check_placeholders, pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

INLINE, ATTACHMENT = "inline", "attachment"
PLACEHOLDERS = ("name", "stem", "ext", "path", "n")
MAX_FILENAME = 255  # characters of a template; file systems take names of 255 bytes
MAX_NAME_BYTES = 240  # file systems take 255; and servers refuse URLs of more than 8 kB, in which a byte takes five
UNNAMED = "file"  # for a key that has no name, such as "/"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHeaders:
    """
    Response headers of a presigned GET; ``None`` leaves the object's own.

    :param disposition:   ``inline`` or ``attachment``; a ``filename`` alone means ``attachment``.
    :param filename:      Template of the name that a browser saves the object under.
    :param content_type:  ``Content-Type``.
    :param cache_control: ``Cache-Control``.
    """

    disposition: str | None = None
    filename: str | None = None
    content_type: str | None = None
    cache_control: str | None = None

    @property
    def numbers_keys(self) -> bool:
        """Whether the name holds a key's number in the manifest, which only a listing in order knows."""
        return self.filename is not None and any(name == "n" for _, name in pieces(self.filename))

    def file_names(self, keys: Sequence[str], first: int) -> list[str]:
        """
        Return the names under which a browser saves some keys; there must be a ``filename``.

        :param first: Number of the first key in the manifest, from 1.
        """
        columns = [
            [literal] * len(keys) if name is None else _COLUMNS[name](keys, first)
            for literal, name in pieces(self.filename or "")
        ]
        names = columns[0] if len(columns) == 1 else ["".join(parts) for parts in zip(*columns, strict=True)]
        return names if max(map(len, names), default=0) <= MAX_NAME_BYTES // 4 else list(map(_shortened, names))


def filename_template(field: str, value: object) -> str:
    """
    Return a template that names a file.

    :raises InvalidEventError: It is empty or too long, or holds a path, a control character or an unknown placeholder.
    """
    template = validation.not_empty(field, validation.text(field, value))
    if len(template) > MAX_FILENAME:
        raise InvalidEventError(field, value, f"must be at most {MAX_FILENAME} characters")
    if "/" in template or "\\" in template or _CONTROL.search(template):
        raise InvalidEventError(field, value, "must be a name, without slashes and control characters")
    check_placeholders(field, template, PLACEHOLDERS)
    return template


def header_value(field: str, value: object) -> str:
    """
    Return the value of a response header.

    :raises InvalidEventError: It is empty, longer than 255 characters, or not printable ASCII.
    """
    text = validation.not_empty(field, validation.text(field, value))
    if len(text) > MAX_FILENAME or not text.isascii() or not text.isprintable() or text != text.strip():
        raise InvalidEventError(field, value, f"must be at most {MAX_FILENAME} printable ASCII characters")
    return text


def _names(keys: Sequence[str], _: int = 0) -> list[str]:
    names = [key[key.rfind("/") + 1 :] for key in keys]
    return names if all(names) else [name or _last_segment(key) for name, key in zip(names, keys, strict=True)]


def _last_segment(key: str) -> str:
    """Return the last name in a key that ends with a slash."""
    return key.rstrip("/").rpartition("/")[2] or UNNAMED


def _dot(name: str) -> int:
    """Return where a name's extension begins, at its dot; the length of a name that has none."""
    dot = name.rfind(".")
    return dot if dot > 0 else len(name)


def _shortened(name: str) -> str:
    """Cut a name to what file systems take; a short extension stays."""
    if len(name.encode(errors="surrogatepass")) <= MAX_NAME_BYTES:
        return name
    ending = name[_dot(name) :]
    ending = ending if len(ending.encode(errors="surrogatepass")) <= MAX_NAME_BYTES // 4 else ""
    kept = name[: len(name) - len(ending)].encode(errors="surrogatepass")[: MAX_NAME_BYTES - len(ending.encode())]
    return kept.decode(errors="ignore") + ending


def _stems(keys: Sequence[str], _: int) -> list[str]:
    return [name[: _dot(name)] for name in _names(keys)]


def _extensions(keys: Sequence[str], _: int) -> list[str]:
    return [name[_dot(name) + 1 :] for name in _names(keys)]


def _paths(keys: Sequence[str], _: int) -> list[str]:
    return [key.replace("/", "_") for key in keys]


def _numbers(keys: Sequence[str], first: int) -> list[str]:
    return [str(number) for number in range(first, first + len(keys))]


_COLUMNS = {"name": _names, "stem": _stems, "ext": _extensions, "path": _paths, "n": _numbers}
