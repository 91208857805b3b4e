"""
ListObjectsV2 requests that repeat one of botocore's, from another place of the listing.

botocore checks, resolves, writes and signs each request from nothing, which takes longer than reading its page. Here a
request of the client's own is copied: another place, another time, another signature; the session stays botocore's.
A request without a usual answer is sent once more by botocore, which knows retries, redirects and errors.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import uuid4
from weakref import WeakKeyDictionary

from aiohttp import ClientError
from botocore.retries.standard import ExponentialBackoff, RetryContext

from processor.answers import NOT_NOW
from processor.listing.client_events import replace_handler
from processor.listing.page_parser import is_page, page_of
from processor.signing_key import ALGORITHM, DATE_FORMAT, signing_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

OPERATION = "ListObjectsV2"
SENT = f"before-send.s3.{OPERATION}"
_PLACES = {"ContinuationToken": "continuation-token", "StartAfter": "start-after"}
_STAYS = {"Prefix": "prefix", "MaxKeys": "max-keys", "EncodingType": "encoding-type"}
_RESTORED = "x-amz-optional-object-attributes"
_DATE, _TOKEN, _BODY = "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"
_INVOCATION = "amz-sdk-invocation-id"
_SIGNED = re.compile(
    rf"{ALGORITHM} Credential=[^/]+/(\d{{8}})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([\w;-]+), "
    r"Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """
    What all requests of a listing share.

    :param bucket:  The bucket that is listed.
    :param base:    Scheme and host.
    :param query:   The query without the place.
    :param headers: By lower-case name, as they were sent.
    :param signed:  Names of the headers that are signed.
    """

    bucket: str
    base: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    signed: tuple[str, ...]
    region: str
    service: str

    @classmethod
    def of(cls, request: Any, bucket: str, secret_key: str) -> _Pattern | None:  # noqa: ANN401 - botocore's
        """Copy a request; ``None`` where its signature cannot be made here."""
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        found, url = _SIGNED.fullmatch(headers.get("authorization", "")), urlsplit(request.url)
        if request.method != "GET" or request.body or found is None or not {_DATE, _BODY} <= headers.keys():
            return None
        _, region, service, signed, signature = found.groups()
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        host = headers.get("host", url.netloc)
        base = f"{url.scheme}://{url.netloc}"
        made = cls(bucket, base, host, url.path, query, headers, tuple(signed.split(";")), region, service)
        if made._signature(_written(query), headers, secret_key) != signature:
            return None
        stays = {name: value for name, value in query.items() if name not in _PLACES.values()}
        return replace(made, query=stays)

    def serves(self, asked: Mapping[str, Any], credentials: Any) -> bool:  # noqa: ANN401 - botocore's
        """Whether a request differs from the pattern in its place alone."""
        stays = {"list-type": "2"} | {_STAYS[name]: str(asked[name]) for name in _STAYS}
        has = (_RESTORED in self.headers, _TOKEN in self.headers)
        wanted = ("OptionalObjectAttributes" in asked, bool(credentials.token))
        return self.query == stays and has == wanted and self.bucket == asked["Bucket"]

    def request(self, asked: Mapping[str, Any], credentials: Any) -> tuple[str, dict[str, str]]:  # noqa: ANN401 - botocore's
        """Return the URL and the headers of the request, signed for now."""
        places = {_PLACES[name]: asked[name] for name in _PLACES if name in asked}
        query, at = _written({**self.query, **places}), datetime.now(UTC).strftime(DATE_FORMAT)
        headers = {**self.headers, _DATE: at, _INVOCATION: str(uuid4())}
        if credentials.token:
            headers[_TOKEN] = credentials.token
        signature = self._signature(query, headers, credentials.secret_key)
        headers["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{at[:8]}/{self.region}/{self.service}"
            f"/aws4_request, SignedHeaders={';'.join(self.signed)}, Signature={signature}"
        )
        return f"{self.base}{self.path}?{query}", headers

    def _signature(self, query: str, headers: Mapping[str, str], secret_key: str) -> str:
        values = {"host": self.host, **headers}
        lines = (f"{name}:{' '.join(values[name].split())}\n" for name in self.signed)
        whole = f"GET\n{self.path or '/'}\n{query}\n{''.join(lines)}\n{';'.join(self.signed)}\n{headers[_BODY]}"
        at = headers[_DATE]
        key = signing_key(secret_key, at[:8], self.region, self.service)
        scope = f"{at[:8]}/{self.region}/{self.service}/aws4_request"
        signed = f"{ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}"
        return hmac.digest(key, signed.encode(), "sha256").hex()


# The pattern of each client's latest listing: a client that stays open from hop to hop need not learn it again.
_LATEST: WeakKeyDictionary[Any, _Pattern] = WeakKeyDictionary()


class RepeatedList:
    """
    The list requests of a client after its first one.

    :param client:  S3 client; ``learn`` is called after each answer that the client itself brought.
    :param slowed:  Called for each passing fault, with the response of botocore's ``needs-retry``.
    :param on_body: Called with each body before it is parsed, as botocore's ``before-parse`` shows it, and with its
                    beginning before the rest has come.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - aiobotocore's, or a test's
        slowed: Callable[[tuple[Any, Any] | None], None],
        on_body: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self._client, self._slowed, self._on_body = client, slowed, on_body
        # Of ``processor.aws.http_session``, which other clients have not.
        self._get: Any = getattr(getattr(getattr(client, "_endpoint", None), "http_session", None), "get", None)
        self._sent: Any = None
        self._over = self._get is None
        self._pattern = None if self._over else _LATEST.get(client)
        replace_handler(client, SENT, self._note_request, "presign-repeated-list")

    def _note_request(self, request: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
        self._sent = request

    async def learn(self, asked: Mapping[str, Any]) -> None:
        """
        Make the last answered request the pattern of those that follow.

        :param asked: The arguments that the client was called with.
        """
        if self._over or self._pattern is not None or self._sent is None:
            return
        credentials = await self._credentials()
        found = None if credentials is None else _Pattern.of(self._sent, asked["Bucket"], credentials.secret_key)
        self._pattern, self._over = found, found is None
        if found is not None:
            _LATEST[self._client] = found

    async def ask(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """
        Send a request.

        :param asked: The arguments of ``client.list_objects_v2``.
        :return: What the client would return; ``None`` where the client itself must be called.
        """
        if self._over or self._pattern is None:
            return None
        credentials = await self._credentials()
        if not self._pattern.serves(asked, credentials):
            self._pattern = None
            return None
        url, headers = self._pattern.request(asked, credentials)
        try:
            status, body = await self._get(url, headers, self._begun)
        except (ClientError, TimeoutError, OSError):
            status, body = HTTPStatus.SERVICE_UNAVAILABLE, b""
        if status in NOT_NOW:
            self._slowed(None)
            await asyncio.sleep(ExponentialBackoff().delay_amount(RetryContext(attempt_number=1)))
            return None
        await self._begun(status, body)
        answer = {"status_code": status, "body": body}
        found = page_of(answer)
        # A redirect, a refusal, or a page that botocore must parse: the next answers would be alike.
        self._over = found is None and (status != HTTPStatus.OK or is_page(answer["body"]))
        if self._over:
            _LATEST.pop(self._client, None)
        return found

    async def _begun(self, status: int, body: bytes) -> None:
        await self._on_body({"status_code": status, "body": body})

    async def _credentials(self) -> Any:  # noqa: ANN401 - botocore's
        found = getattr(self._client._request_signer, "_credentials", None)  # noqa: SLF001 - no public attribute has them
        return None if found is None else await found.get_frozen_credentials()


def _written(query: Mapping[str, str]) -> str:
    """Write a query as it is signed."""
    pairs = sorted((_quoted(name), _quoted(value)) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


@lru_cache(maxsize=64)
def _quoted(text: str) -> str:
    return quote(text, safe="")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
