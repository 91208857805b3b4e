"""
AWS Signature Version 4 in a URL's query; everything that does not depend on the key is computed once. Pure, no I/O.

Endpoint, addressing style and query come from a presigned probe. Signing key and hash states are computed once a
second. A key then costs one SHA-256 of its canonical request and two copied HMAC states.

The algorithm: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHM = "AWS4-HMAC-SHA256"
DATE = "%Y%m%dT%H%M%SZ"
VARYING = "{varying}"  # an encoded query never holds braces
SAFE = "/~"  # botocore/serialize.py leaves these as they are in a path; quote() adds letters, digits and -._
_BLOCK = 64
_PERCENT = ord("%")
_INNER, _OUTER = bytes(b ^ 0x36 for b in range(256)), bytes(b ^ 0x5C for b in range(256))
_KEPT = string.ascii_letters.encode() + string.digits.encode() + b"-._/~\n"


@dataclass(frozen=True, slots=True)
class Template:
    """
    A presigned URL without its path, date and signature.

    :param base:   ``scheme://host/`` with the bucket, where that is in the path.
    :param path:   The path that ``base`` ends with, at least ``/``.
    :param host:   The ``host`` header that clients will send.
    :param query:  The query with ``{day}`` and ``{date}`` in place of the dates, and ``VARYING`` in place of a value
                   that differs from key to key.
    :param region: As in the credential scope.
    :param at:     When the probe was signed.
    """

    base: str
    path: str
    host: str
    query: str
    region: str
    at: datetime

    @classmethod
    def learn(cls, url: str, key: str, varying: str | None = None) -> Template | None:
        """
        Split a presigned probe into its parts.

        :param url:     The probe.
        :param key:     The key that it was signed for.
        :param varying: A value of the probe's query, in its encoded form, that will differ from key to key.
        :return: ``None`` when the probe is signed in an unknown way.
        """
        head, _, query = url.partition("?")
        probe = quote(key, safe=SAFE)
        unsigned, _, signature = query.rpartition("&X-Amz-Signature=")
        fields = dict(pair.partition("=")[::2] for pair in unsigned.split("&"))
        scope = unquote(fields.get("X-Amz-Credential", "")).split("/")
        known = fields.get("X-Amz-Algorithm") == ALGORITHM and fields.get("X-Amz-SignedHeaders") == "host"
        if not known or not signature or not head.endswith(probe) or scope[-2:] != ["s3", "aws4_request"]:
            return None
        if varying is not None and list(fields.values()).count(varying) != 1:
            return None
        base, date = head.removesuffix(probe), fields["X-Amz-Date"]
        parts = urlsplit(base)
        fields["X-Amz-Date"] = "{date}"
        fields["X-Amz-Credential"] = fields["X-Amz-Credential"].replace(f"%2F{date[:8]}%2F", "%2F{day}%2F")
        return cls(
            base=base,
            path=parts.path,
            host=_host(parts.scheme, parts.netloc),
            query="&".join(f"{name}={VARYING if value == varying else value}" for name, value in fields.items()),
            region=scope[-3],
            at=datetime.strptime(date, DATE).replace(tzinfo=UTC),
        )


class Dated:
    """The hash states and strings of one second."""

    __slots__ = ("_after", "_after_varying", "_before", "_end", "_inner", "_outer", "_prefix", "_suffix", "at")

    def __init__(self, template: Template, secret: str, at: datetime) -> None:
        date, day = at.strftime(DATE), at.strftime("%Y%m%d")
        scope = f"{day}/{template.region}/s3/aws4_request"
        query = template.query.replace("{date}", date).replace("{day}", day)
        # The canonical query is sorted by name, then by value; the query of the URL need not be.
        canonical = "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("=")[::2]))
        key = f"AWS4{secret}".encode()
        for step in (day, template.region, "s3", "aws4_request"):
            key = hmac.digest(key, step.encode(), "sha256")
        padded = key.ljust(_BLOCK, b"\0")
        self.at = at
        self._inner = hashlib.sha256(padded.translate(_INNER) + f"{ALGORITHM}\n{date}\n{scope}\n".encode())
        self._outer = hashlib.sha256(padded.translate(_OUTER))
        self._before = f"GET\n{template.path}".encode()
        after = f"\n{canonical}\nhost:{template.host}\n\nhost\nUNSIGNED-PAYLOAD"
        suffix = f"?{query}&X-Amz-Signature="
        # The text before and after the value that varies; without such a value, all of the text is before.
        self._after, _, end = (part.encode() for part in after.partition(VARYING))
        self._prefix, (self._suffix, _, self._end) = template.base, suffix.partition(VARYING)
        self._after_varying = end

    def urls(self, paths: Sequence[str]) -> list[str]:
        """Sign quoted keys. The package is as fast as this loop, which holds nothing that could be outside of it."""
        before, after, prefix, suffix = self._before, self._after, self._prefix, self._suffix
        sha256, inner_copy, outer_copy = hashlib.sha256, self._inner.copy, self._outer.copy
        urls: list[str] = []
        append = urls.append
        for path in paths:
            inner, outer = inner_copy(), outer_copy()
            inner.update(sha256(before + path.encode() + after).hexdigest().encode())
            outer.update(inner.digest())
            append(f"{prefix}{path}{suffix}{outer.hexdigest()}")
        return urls

    def urls_with(self, paths: Sequence[str], values: Sequence[str]) -> list[str]:
        """
        Sign quoted keys; each has a query value of its own.

        :param values: The values that vary, encoded for the query.
        """
        before, after, after_value = self._before, self._after, self._after_varying
        prefix, suffix, end = self._prefix, self._suffix, self._end
        sha256, inner_copy, outer_copy = hashlib.sha256, self._inner.copy, self._outer.copy
        urls: list[str] = []
        append = urls.append
        for path, value in zip(paths, values, strict=True):
            inner, outer = inner_copy(), outer_copy()
            inner.update(sha256(before + path.encode() + after + value.encode() + after_value).hexdigest().encode())
            outer.update(inner.digest())
            append(f"{prefix}{path}{suffix}{value}{end}{outer.hexdigest()}")
        return urls


def quoted(keys: Sequence[str]) -> Sequence[str]:
    """
    Percent-encode keys as botocore does, a whole batch at once.

    Each byte that needs encoding is replaced in the whole batch at once, at the speed of a memory search.

    :raises UnicodeEncodeError: A key holds half of a surrogate pair.
    """
    whole = "\n".join(keys).encode()
    if whole.count(b"\n") != len(keys) - 1:
        return [quote(key, safe=SAFE) for key in keys]
    # The percent sign comes first, because every replacement begins with one.
    for byte in sorted(set(whole.translate(None, _KEPT)), key=lambda byte: byte != _PERCENT):
        whole = whole.replace(b"%c" % byte, b"%%%02X" % byte)
    return whole.decode("ascii").split("\n")


def _host(scheme: str, netloc: str) -> str:
    """Return the ``host`` header without the default port (botocore/auth.py, ``_host_from_url``)."""
    return netloc.lower().removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))
