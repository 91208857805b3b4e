"""
AWS Signature Version 4 in a URL's query; everything that does not depend on the key is computed once. Pure, no I/O.

Endpoint, addressing style and query come from a presigned probe. Signing key and hash states are computed once a
second. A key then costs one SHA-256 of its canonical request and two copied HMAC states.

The algorithm: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from processor.job.s3_names import MAX_KEY_BYTES
from processor.signing import percent
from processor.signing_key import ALGORITHM, DATE_FORMAT, signing_key
from processor.urls import Urls

if TYPE_CHECKING:
    from collections.abc import Sequence

VARYING = ("{varying 0}", "{varying 1}")  # an encoded query never holds braces
SAFE = "/~"  # botocore/serialize.py leaves these as they are in a path; quote() adds letters, digits and -._
_MARK = re.compile("|".join(map(re.escape, VARYING)))
_BLOCK = 64
_MAX_PATH = 3 * MAX_KEY_BYTES  # no listing brings a longer key (processor/listing/listed.py)
_INNER, _OUTER = bytes(b ^ 0x36 for b in range(256)), bytes(b ^ 0x5C for b in range(256))
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")
_KEPT = percent.UNRESERVED + b"/\n"


@dataclass(frozen=True, slots=True)
class Template:
    """
    A presigned URL without its path, date and signature.

    :param base:   ``scheme://host/`` with the bucket, where that is in the path.
    :param path:   The path that ``base`` ends with, at least ``/``.
    :param host:   The ``host`` header that clients will send.
    :param query:  The query with ``{day}`` and ``{date}`` in place of the dates, and those of ``VARYING`` in place
                   of values that differ from key to key.
    :param region: Region of the credential scope.
    :param at:     When the probe was signed.
    """

    base: str
    path: str
    host: str
    query: str
    region: str
    at: datetime

    @classmethod
    def learn(cls, url: str, key: str, *varying: str) -> Template | None:
        """
        Split a presigned probe into its parts.

        :param url:     The probe.
        :param key:     The key that it was signed for.
        :param varying: Values of the probe's query, in their encoded form, that will differ from key to key.
        :return: ``None`` when the probe is signed in an unknown way.
        """
        head, _, query = url.partition("?")
        probe = quote(key, safe=SAFE)
        unsigned = query.rpartition("&X-Amz-Signature=")[0]  # empty for a URL that is not signed so
        fields = dict(pair.partition("=")[::2] for pair in unsigned.split("&"))
        scope = unquote(fields.get("X-Amz-Credential", "")).split("/")
        known = fields.get("X-Amz-Algorithm") == ALGORITHM and fields.get("X-Amz-SignedHeaders") == "host"
        if not known or not head.endswith(probe) or scope[-2:] != ["s3", "aws4_request"]:
            return None
        if any(list(fields.values()).count(value) != 1 for value in varying):
            return None
        marks = dict(zip(varying, VARYING, strict=False))
        base, date = head.removesuffix(probe), fields["X-Amz-Date"]
        parts = urlsplit(base)
        fields["X-Amz-Date"] = "{date}"
        fields["X-Amz-Credential"] = fields["X-Amz-Credential"].replace(f"%2F{date[:8]}%2F", "%2F{day}%2F")
        return cls(
            base=base,
            path=parts.path,
            host=_host(parts.scheme, parts.netloc),
            query="&".join(f"{name}={marks.get(value, value)}" for name, value in fields.items()),
            region=scope[-3],
            at=datetime.strptime(date, DATE_FORMAT).replace(tzinfo=UTC),
        )


class Dated:
    """The hash states and strings of one second."""

    __slots__ = ("_after", "_before", "_canonical", "_inner", "_most", "_outer", "_prefix", "_shown", "at")

    def __init__(self, template: Template, secret: str, at: datetime) -> None:
        date, day = at.strftime(DATE_FORMAT), at.strftime("%Y%m%d")
        scope = f"{day}/{template.region}/s3/aws4_request"
        query = template.query.replace("{date}", date).replace("{day}", day)
        # The canonical query is sorted by name, then by value; the query of the URL need not be.
        canonical = "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("=")[::2]))
        padded = signing_key(secret, day, template.region, "s3").ljust(_BLOCK, b"\0")
        self.at = at
        self._inner = hashlib.sha256(padded.translate(_INNER) + f"{ALGORITHM}\n{date}\n{scope}\n".encode())
        self._outer = hashlib.sha256(padded.translate(_OUTER))
        self._before = f"GET\n{template.path}".encode()
        after = f"\n{canonical}\nhost:{template.host}\n\nhost\nUNSIGNED-PAYLOAD"
        self._after, self._prefix = after.encode(), template.base
        # Both hold the values that vary: the canonical query in the order of the names, the URL's in its own order.
        self._canonical, self._shown = _Varied(after), _Varied(f"?{query}&X-Amz-Signature=")
        self._most = (
            len(template.base) + _MAX_PATH + len(query) + len("?&X-Amz-Signature=") + 2 * self._outer.digest_size
        )

    def urls(self, paths: Sequence[str]) -> Urls:
        """Sign quoted keys. The package is as fast as this loop, which holds nothing that could be outside of it."""
        before, after = self._before, self._after
        sha256, inner_copy, outer_copy = hashlib.sha256, self._inner.copy, self._outer.copy
        signatures: list[str] = []
        append = signatures.append
        for path in paths:
            inner, outer = inner_copy(), outer_copy()
            inner.update(sha256(before + path.encode() + after).hexdigest().encode())
            outer.update(inner.digest())
            append(outer.hexdigest())
        return Urls((self._prefix, *self._shown.texts), (paths, signatures), self._most)

    def urls_with(self, paths: Sequence[str], *values: Sequence[str]) -> Urls:
        """
        Sign quoted keys; each has query values of its own.

        :param values: The values that vary, encoded for the query; each of these has one for each key.
        """
        before, (first, *between, last) = self._before, self._canonical.texts
        after, after_value, varying = first.encode(), last.encode(), self._canonical.ordered(values)
        sha256, inner_copy, outer_copy = hashlib.sha256, self._inner.copy, self._outer.copy
        signatures: list[str] = []
        append = signatures.append
        joined = varying[0] if len(varying) == 1 else Urls(("", *between), varying)
        for path, value in zip(paths, joined, strict=True):
            inner, outer = inner_copy(), outer_copy()
            inner.update(sha256(before + path.encode() + after + value.encode() + after_value).hexdigest().encode())
            outer.update(inner.digest())
            append(outer.hexdigest())
        return Urls((self._prefix, *self._shown.texts), (paths, *self._shown.ordered(values), signatures))


class _Varied:
    """
    A text around values that vary.

    :param text: Holds marks of ``VARYING``; without any, nothing varies.
    """

    __slots__ = ("_order", "texts")

    def __init__(self, text: str) -> None:
        places = sorted((text.index(mark), number) for number, mark in enumerate(VARYING) if mark in text)
        self._order = [number for _, number in places]
        self.texts = _MARK.split(text)  # before the first value, between two, and after the last

    def ordered(self, values: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """Return the values in the order in which the text holds them."""
        return [values[number] for number in self._order]


def quoted(keys: Sequence[str]) -> Sequence[str]:
    """
    Percent-encode keys as botocore does, a whole batch at once.

    :raises UnicodeEncodeError: A key holds half of a surrogate pair.
    """
    whole = "\n".join(keys).encode()
    if whole.count(b"\n") != len(keys) - 1:
        return [quote(key, safe=SAFE) for key in keys]
    encoded = percent.encoded(whole, _KEPT)
    return keys if encoded == whole else encoded.decode("ascii").split("\n")


def quoted_versions(versions: Sequence[str]) -> Sequence[str]:
    """Percent-encode version ids for a query; those of S3 need nothing."""
    if _PLAIN.fullmatch("".join(versions)):
        return versions
    return [quote(version, safe="") for version in versions]


def _host(scheme: str, netloc: str) -> str:
    """Return the ``host`` header without the default port (botocore/auth.py, ``_host_from_url``)."""
    return netloc.lower().removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))
