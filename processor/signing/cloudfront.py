"""
CloudFront's signed URLs and cookies: a canned policy for each URL, or one custom policy for a whole prefix.

A signature is RSA (about 1,000 a second on a core) or ECDSA P-256 (some 20,000); a policy for the prefix takes one
signature a second, however many URLs carry it. CloudFront wants SHA-1 unless ``Hash-Algorithm`` says otherwise.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from processor.errors import RetryableError, TerminalError
from processor.job import CANNED, PREFIX, SHA1, SHA256
from processor.signing.response import NO_HEADERS, Response
from processor.signing.signers import signed
from processor.signing.sigv4 import quoted, quoted_versions
from processor.urls import Urls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from processor.signing.signers import Signed

MISSING = (
    "signer cloudfront needs the package cryptography: pip install 'presign-siblings[cloudfront]', "
    "or package and deploy with --extra cloudfront"
)
_PEM = re.compile("-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)
_ESCAPED = re.compile(r"\\+n")  # a line end in JSON, or in a variable of one line
_CLOUDFRONT_BASE64 = bytes.maketrans(b"+=/", b"-_~")


class PrivateKey(Protocol):
    """The private half of a key that the distribution trusts."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """
    Where URLs point, and what they allow.

    :param domain:      Domain of the distribution, e.g. ``d111111abcdef8.cloudfront.net``.
    :param key_pair_id: Id of the public key in the trusted key group.
    :param key:         The private key.
    :param policy:      ``CANNED``, or ``PREFIX`` for one policy that covers every key of ``prefix``.
    :param prefix:      The job's prefix.
    :param starts_at:   When the URLs begin to work, UTC; at once when ``None``.
    :param ip_range:    IPv4 range (CIDR) that may fetch; ``None`` lets every address.
    :param hash_algorithm: Hash of the signature.
    """

    domain: str
    key_pair_id: str
    key: PrivateKey = field(repr=False)
    policy: str = CANNED
    prefix: str = ""
    starts_at: datetime | None = None
    ip_range: str | None = None
    hash_algorithm: str = SHA1


class CloudFrontSigner:
    """
    Signs for a distribution.

    :param expiry_seconds: Lifetime of each URL; CloudFront sets no limit.
    :param clock:          The signing clock, UTC, asked once a batch.
    :param response:       Response headers; the distribution must forward these query strings to S3.
    """

    fallback_reason: str | None = None

    def __init__(
        self,
        distribution: Distribution,
        expiry_seconds: int,
        clock: Callable[[], datetime],
        response: Response = NO_HEADERS,
    ) -> None:
        self._to, self._life, self._clock, self._response = (
            distribution,
            timedelta(seconds=expiry_seconds),
            clock,
            response,
        )
        self._base = f"https://{distribution.domain}/"
        self._shared: tuple[datetime, str] | None = None

    async def sign(self, keys: Sequence[str], first: int = 1, versions: Mapping[str, str] | None = None) -> Signed:
        """Sign a batch; a key that is not Unicode never spoils the others."""
        ends_at = self._clock().replace(microsecond=0) + self._life
        return signed(lambda some, number: self._urls(some, number, ends_at, versions), keys, first)

    def cookies(self) -> dict[str, str]:
        """Return the signed cookies that open the whole prefix to a browser."""
        ends_at = self._clock().replace(microsecond=0) + self._life
        policy = self._policy(self._covering(), ends_at)
        cookies = {
            "CloudFront-Policy": _base64(policy.encode()),
            "CloudFront-Signature": _base64(self._to.key.sign(policy.encode())),
            "CloudFront-Key-Pair-Id": self._to.key_pair_id,
        }
        if self._to.hash_algorithm != SHA1:
            cookies["CloudFront-Hash-Algorithm"] = self._to.hash_algorithm
        return cookies

    def _urls(self, keys: Sequence[str], first: int, ends_at: datetime, versions: Mapping[str, str] | None) -> Urls:
        resources, join = [self._base + path for path in quoted(keys)], "?"
        if self._response.has_headers:
            queries = self._response.queries(keys, first)
            resources = [f"{resource}?{query}" for resource, query in zip(resources, queries, strict=True)]
            join = "&"
        if versions is not None:
            pinned = quoted_versions([versions[key] for key in keys])
            resources = [f"{one}{join}versionId={version}" for one, version in zip(resources, pinned, strict=True)]
            join = "&"
        if self._to.policy == PREFIX:
            return Urls(("", join + self._shared_query(ends_at)), (resources, [""] * len(keys)))
        return Urls(("", join), (resources, [self._own_query(resource, ends_at) for resource in resources]))

    def _own_query(self, resource: str, ends_at: datetime) -> str:
        policy = self._policy(resource, ends_at)
        if self._to.starts_at is None and self._to.ip_range is None:
            return self._signed(f"Expires={int(ends_at.timestamp())}", policy)
        return self._signed(f"Policy={_base64(policy.encode())}", policy)

    def _shared_query(self, ends_at: datetime) -> str:
        """Return the query of the prefix's policy, signed once for each second."""
        if self._shared is None or self._shared[0] != ends_at:
            policy = self._policy(self._covering(), ends_at)
            self._shared = ends_at, self._signed(f"Policy={_base64(policy.encode())}", policy)
        return self._shared[1]

    def _covering(self) -> str:
        """Return the resource that covers every key of the prefix; CloudFront's ``*`` crosses slashes."""
        return f"{self._base}{quoted([self._to.prefix])[0]}*"

    def _signed(self, head: str, policy: str) -> str:
        signature = _base64(self._to.key.sign(policy.encode()))
        query = f"{head}&Signature={signature}&Key-Pair-Id={self._to.key_pair_id}"
        return query if self._to.hash_algorithm == SHA1 else f"{query}&Hash-Algorithm={self._to.hash_algorithm}"

    def _policy(self, resource: str, ends_at: datetime) -> str:
        """Return a policy, compact and in CloudFront's order; a policy that states only its end is a canned one."""
        condition: dict[str, Any] = {"DateLessThan": {"AWS:EpochTime": int(ends_at.timestamp())}}
        if self._to.ip_range is not None:
            condition["IpAddress"] = {"AWS:SourceIp": self._to.ip_range}
        if self._to.starts_at is not None:
            condition["DateGreaterThan"] = {"AWS:EpochTime": int(self._to.starts_at.timestamp())}
        statement = {"Resource": resource, "Condition": condition}
        return json.dumps({"Statement": [statement]}, separators=(",", ":"))


def private_key(pem: str, name: str, hash_algorithm: str = SHA1) -> PrivateKey:
    """
    Read a private key: RSA, or ECDSA on P-256.

    :param pem:  Holds PKCS#1, PKCS#8 or SEC 1 without a passphrase; JSON around it, as the console of Secrets Manager
                 makes it, and escaped line ends do not matter.
    :param name: Name of the secret that holds the key, for messages; the key is in no message.
    :raises RetryableError: The secret holds no such key.
    :raises TerminalError: The library that signs is not installed.
    """
    if find_spec("cryptography") is None:
        raise TerminalError(MISSING)
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only where CloudFront signs: 40 ms
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa  # noqa: PLC0415

    found = _PEM.search(_ESCAPED.sub("\n", pem))
    try:
        key = serialization.load_pem_private_key((found[0] if found else pem).encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise RetryableError(f"the secret {name} holds no private key in PEM without a passphrase") from None
    digest = hashes.SHA256() if hash_algorithm == SHA256 else hashes.SHA1()  # noqa: S303 - CloudFront's own choice
    if isinstance(key, rsa.RSAPrivateKey):
        return _Key(lambda message: key.sign(message, padding.PKCS1v15(), digest))
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return _Key(lambda message: key.sign(message, ec.ECDSA(digest)))
    raise RetryableError(f"the secret {name} holds a key of another kind: CloudFront takes RSA, and ECDSA on P-256")


class _Key:
    """A private key with its padding and hash."""

    __slots__ = ("sign",)

    def __init__(self, sign: Callable[[bytes], bytes]) -> None:
        self.sign = sign


def _base64(data: bytes) -> str:
    """Encode as CloudFront does: base64 with three letters of CloudFront's own."""
    return base64.b64encode(data).translate(_CLOUDFRONT_BASE64).decode("ascii")
