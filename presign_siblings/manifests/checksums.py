"""Checksums of an object's bytes, as the answer's headers name them."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MD5 = re.compile("[0-9a-f]{32}")
_PREFIX = "x-amz-checksum-"
_GOOGLE = "x-goog-hash"


class _Crc32:
    """CRC-32 with the interface of :mod:`hashlib`."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_ALGORITHMS: dict[str, Any] = {
    "crc32": _Crc32,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}


class Checksums:
    """
    The checksums computed while an object arrives: those of the answer's headers that are known here, else the MD5.

    No other is computed, since one takes longer than all the rest of a large file.

    :param headers: The answer's headers.
    :param md5:     Whether the ETag may be the MD5 of the bytes.
    """

    def __init__(self, headers: Mapping[str, str], *, md5: bool) -> None:
        self._announced = _announced(headers)
        self._md5 = _ALGORITHMS["md5"]() if md5 and not self._announced else None
        self._running = {name: _ALGORITHMS[name]() for name in self._announced}

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        if self._md5 is not None:
            self._md5.update(data)
        for running in self._running.values():
            running.update(data)

    @property
    def are_any(self) -> bool:
        """Whether anything is computed."""
        return self._md5 is not None or bool(self._running)

    @property
    def md5(self) -> str:
        """The bytes' MD5, in hexadecimal digits; empty where it is not computed."""
        return "" if self._md5 is None else str(self._md5.hexdigest())

    def agree(self) -> bool | None:
        """Whether the bytes have the checksums of the headers; ``None`` where the headers have none."""
        if not self._announced:
            return None
        return all(self._running[name].digest() == value for name, value in self._announced.items())


def _announced(headers: Mapping[str, str]) -> dict[str, bytes]:
    """Return the checksums of the whole object; a multipart upload's checksum of checksums is left out."""
    pairs = [(name.removeprefix(_PREFIX), value) for name, value in headers.items() if name.startswith(_PREFIX)]
    if _GOOGLE in headers:
        pairs += [part.strip().split("=", 1) for part in headers[_GOOGLE].split(",") if "=" in part]  # type: ignore[misc]
    if not pairs or "content-range" in headers or headers.get(f"{_PREFIX}type", "").upper() == "COMPOSITE":
        return {}
    found = {name: _decoded(value) for name, value in pairs if name in _ALGORITHMS}
    return {name: value for name, value in found.items() if value is not None}


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return None


def may_be_md5(etag: str, headers: Mapping[str, str]) -> bool:
    """Whether an ETag looks like the MD5 of the bytes: that of a multipart upload or of a KMS key does not."""
    encryption = headers.get("x-amz-server-side-encryption", "")
    customers = "x-amz-server-side-encryption-customer-algorithm" in headers
    return bool(_MD5.fullmatch(etag)) and not encryption.startswith("aws:kms") and not customers


def etag_of(headers: Mapping[str, str]) -> str:
    """Return an ETag without quotes, and without the marks of a proxy: of a weak one, of a compressed body."""
    return headers.get("etag", "").strip().removeprefix("W/").strip('"').removesuffix("-gzip").lower()
