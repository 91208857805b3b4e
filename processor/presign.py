"""
A batch SigV4 query signer for GET: pure computation, no I/O.

``generate_presigned_url`` builds endpoint, request and signing key anew for each key. Here everything but the key's own
path is made once: botocore presigns one probe, from which endpoint, addressing style and query are learnt, and the two
HMAC hash states are copied for each key. The probe is then signed both ways; were they to differ, botocore would sign
every key.

The algorithm: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from botocore.credentials import ReadOnlyCredentials
    from types_aiobotocore_s3 import S3Client

ALGORITHM = "AWS4-HMAC-SHA256"
DATE = "%Y%m%dT%H%M%SZ"
SAFE = "/~"  # botocore/serialize.py leaves these as they are in a path; quote() adds letters, digits and -._
PROBE = "presign probe/~+%é\"'.pdf"
_BLOCK = 64
_INNER, _OUTER = bytes(b ^ 0x36 for b in range(256)), bytes(b ^ 0x5C for b in range(256))
_PLAIN = re.compile(r"[A-Za-z0-9/~._\-\n]*")


@dataclass(frozen=True, slots=True)
class Signed:
    """
    A signed batch.

    :param keys:     The keys that could be signed, in order.
    :param urls:     Their URLs, one a key.
    :param failures: The keys that could not be signed, each with the reason.
    """

    keys: Sequence[str]
    urls: list[str]
    failures: list[tuple[str, str]]


class Signer(Protocol):
    """Whatever turns keys into presigned GET URLs."""

    @property
    def fallback_reason(self) -> str | None:
        """Why botocore signs every key, or ``None``."""

    async def sign(self, keys: Sequence[str]) -> Signed:
        """Sign a batch; a key that cannot be signed never spoils the others."""


class BatchSigner:
    """
    Sign with everything hoisted but the key's path.

    :param template:    What the probe taught.
    :param credentials: The credentials that signed the probe.
    :param clock:       Gives the signing instant, UTC; asked once a batch, to the second.
    """

    fallback_reason: str | None = None

    def __init__(self, template: Template, credentials: ReadOnlyCredentials, clock: Callable[[], datetime]) -> None:
        self._template, self._credentials, self._clock = template, credentials, clock
        self._dated = self._date(clock())

    async def sign(self, keys: Sequence[str]) -> Signed:
        """Sign a batch at one instant."""
        now = self._clock().replace(microsecond=0)
        if now != self._dated.at:
            self._dated = self._date(now)
        try:
            return Signed(keys, self._dated.urls(quoted(keys)), [])
        except UnicodeEncodeError:
            return self._one_by_one(keys)

    def _one_by_one(self, keys: Sequence[str]) -> Signed:
        taken: list[str] = []
        signed = Signed(taken, [], [])
        for key in keys:
            try:
                url = self._dated.urls(quoted([key]))[0]
            except UnicodeEncodeError as error:
                signed.failures.append((key, type(error).__name__))
            else:
                taken.append(key)
                signed.urls.append(url)
        return signed

    def _date(self, at: datetime) -> _Dated:
        return _Dated(self._template, self._credentials.secret_key, at.replace(microsecond=0))


class BotocoreSigner:
    """
    Sign each key through botocore: slow, and right wherever the batch signer does not know the way.

    :param reason: Why this one is in use.
    """

    def __init__(self, client: S3Client, parameters: dict[str, str], expiry_seconds: int, reason: str) -> None:
        self._client, self._parameters, self._expiry = client, parameters, expiry_seconds
        self.fallback_reason: str | None = reason

    async def sign(self, keys: Sequence[str]) -> Signed:
        """Sign the keys, one after the other."""
        taken: list[str] = []
        signed = Signed(taken, [], [])
        for key in keys:
            try:
                url = await self._client.generate_presigned_url(
                    "get_object", Params={**self._parameters, "Key": key}, ExpiresIn=self._expiry
                )
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one key, the others go on
                signed.failures.append((key, type(error).__name__))
            else:
                taken.append(key)
                signed.urls.append(url)
        return signed


async def open_signer(
    client: S3Client,
    credentials: ReadOnlyCredentials,
    *,
    bucket: str,
    expiry_seconds: int,
    clock: Callable[[], datetime],
) -> Signer:
    """
    Make the signer for one invocation.

    :param client:         The S3 client whose endpoint, style and signature version the URLs follow.
    :param credentials:    That client's credentials, as they are now.
    :param expiry_seconds: Life of each URL.
    :param clock:          The signing clock, UTC.
    """
    parameters = {"Bucket": bucket}
    probe = await client.generate_presigned_url(
        "get_object", Params={**parameters, "Key": PROBE}, ExpiresIn=expiry_seconds
    )
    template = Template.learn(probe)
    if template is None:
        return BotocoreSigner(client, parameters, expiry_seconds, "the probe is no SigV4 query-signed URL")
    own = _Dated(template, credentials.secret_key, template.at).urls(quoted([PROBE]))[0]
    if not hmac.compare_digest(own.encode(), probe.encode()):
        return BotocoreSigner(client, parameters, expiry_seconds, "the probe's signature differs from botocore's")
    return BatchSigner(template, credentials, clock)


@dataclass(frozen=True, slots=True)
class Template:
    """
    A presigned URL without its path, date and signature.

    :param base:   ``scheme://host/`` with the bucket, where that is in the path.
    :param path:   The path that ``base`` ends with, at least ``/``.
    :param host:   The ``host`` header that clients send.
    :param query:  The query with ``{day}`` and ``{date}`` in place of the dates.
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
    def learn(cls, url: str) -> Template | None:
        """Take a presigned probe apart; ``None`` when it is signed in a way that is not known here."""
        head, _, query = url.partition("?")
        probe = quote(PROBE, safe=SAFE)
        unsigned, _, signature = query.rpartition("&X-Amz-Signature=")
        fields = dict(pair.partition("=")[::2] for pair in unsigned.split("&"))
        scope = unquote(fields.get("X-Amz-Credential", "")).split("/")
        known = fields.get("X-Amz-Algorithm") == ALGORITHM and fields.get("X-Amz-SignedHeaders") == "host"
        if not known or not signature or not head.endswith(probe) or scope[-2:] != ["s3", "aws4_request"]:
            return None
        base, date = head.removesuffix(probe), fields["X-Amz-Date"]
        parts = urlsplit(base)
        fields["X-Amz-Date"] = "{date}"
        fields["X-Amz-Credential"] = fields["X-Amz-Credential"].replace(f"%2F{date[:8]}%2F", "%2F{day}%2F")
        return cls(
            base=base,
            path=parts.path,
            host=_host(parts.scheme, parts.netloc),
            query="&".join(f"{name}={value}" for name, value in fields.items()),
            region=scope[-3],
            at=datetime.strptime(date, DATE).replace(tzinfo=UTC),
        )


class _Dated:
    """The hash states and strings of one second."""

    __slots__ = ("_after", "_before", "_inner", "_outer", "_prefix", "_suffix", "at")

    def __init__(self, template: Template, secret: str, at: datetime) -> None:
        date, day = at.strftime(DATE), at.strftime("%Y%m%d")
        scope = f"{day}/{template.region}/s3/aws4_request"
        query = template.query.replace("{date}", date).replace("{day}", day)
        # The canonical query is sorted, the URL's need not be.
        canonical = "&".join(sorted(query.split("&")))
        key = f"AWS4{secret}".encode()
        for step in (day, template.region, "s3", "aws4_request"):
            key = hmac.digest(key, step.encode(), "sha256")
        padded = key.ljust(_BLOCK, b"\0")
        self.at = at
        self._inner = hashlib.sha256(padded.translate(_INNER) + f"{ALGORITHM}\n{date}\n{scope}\n".encode())
        self._outer = hashlib.sha256(padded.translate(_OUTER))
        self._before = f"GET\n{template.path}".encode()
        self._after = f"\n{canonical}\nhost:{template.host}\n\nhost\nUNSIGNED-PAYLOAD".encode()
        self._prefix, self._suffix = template.base, f"?{query}&X-Amz-Signature="

    def urls(self, paths: Sequence[str]) -> list[str]:
        """Sign quoted keys. The loop that the whole package is fast by: nothing in it that could stand outside."""
        before, after, prefix, suffix = self._before, self._after, self._prefix, self._suffix
        sha256, inner_copy, outer_copy = hashlib.sha256, self._inner.copy, self._outer.copy
        urls = []
        append = urls.append
        for path in paths:
            inner, outer = inner_copy(), outer_copy()
            inner.update(sha256(before + path.encode() + after).hexdigest().encode())
            outer.update(inner.digest())
            append(f"{prefix}{path}{suffix}{outer.hexdigest()}")
        return urls


def quoted(keys: Sequence[str]) -> Sequence[str]:
    """Percent-encode keys as botocore does; a batch of plain keys is taken as it is."""
    whole = "\n".join(keys)
    if _PLAIN.fullmatch(whole) and whole.count("\n") == len(keys) - 1:
        return keys
    return [quote(key, safe=SAFE) for key in keys]


def _host(scheme: str, netloc: str) -> str:
    """Return the ``host`` header: the default port is left out (botocore/auth.py, ``_host_from_url``)."""
    return netloc.lower().removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))
