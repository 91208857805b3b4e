"""A store's answer in place of an object: its code and message, and what the holder of the link can do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from presign_siblings.manifests.answer import MOST_DIGITS, number
from processor.causes import (
    ARCHIVED,
    BUCKET_REGION,
    OF_OWNERS_KEY,
    code_and_message,
    is_of_kms,
    is_of_owners_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPIRED = "the link has expired: ask whoever sent it for new ones"
_ASK = "ask whoever sent the link for new ones"
_REGION = f"the link names another region or host than the bucket's: {_ASK}"
ADVICE = {
    ARCHIVED: "the object is archived: its owner must restore it first",
    "HTTP 407": "the proxy wants a name and a password: HTTP_PROXY=http://name:password@host:port",
    "NoSuchKey": "the object no longer exists",
    "NoSuchVersion": "this version of the object no longer exists",
    "MethodNotAllowed": "the object was deleted",
    "NoSuchBucket": "the bucket no longer exists, or the link names another store",
    "AccessDenied": f"whoever signed the link may not read the object, or no longer may: {_ASK}",
    "AllAccessDisabled": "the bucket is closed: ask its owner",
    "ExpiredToken": f"the session that signed the link has ended: {_ASK}",
    "TokenRefreshRequired": f"the session that signed the link has ended: {_ASK}",
    "InvalidToken": f"the session that signed the link is no longer valid: {_ASK}",
    "InvalidAccessKeyId": f"the access key that signed the link no longer exists: {_ASK}",
    "SignatureDoesNotMatch": f"the link was changed on its way, or signed by another secret: {_ASK}",
    "RequestTimeTooSkewed": "the clock of the machine that signed the link, or the store's, is wrong",
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "AuthorizationQueryParametersError": f"the link's own parameters are refused: {_ASK}",
    "UserKeyMustBeSpecified": "the requester pays, and the link does not say so: sign with --request-payer",
}
STRANGER = "no object"
_STRANGER = "a proxy, or the network's sign-in page, answers in the store's place"
_ELSEWHERE = frozenset({301, 302, 303, 307, 308})
_EXPIRED_CODES = frozenset({"ExpiredPresignRequest", "RequestExpired", "ExpiredPresignedUrl"})
_PASSING_CODES = frozenset({"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted"})
_PASSING = frozenset({408, 429})  # a load balancer closes an idle connection with the first
_CREDENTIAL = re.compile(r"X-Amz-|Signature=|://", re.IGNORECASE)
SHOWN_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    One refusal.

    :param code:    S3's own, or ``HTTP 403`` where the answer has none.
    :param message: For an operator: code, the store's words, what to do. No URL.
    :param passing: Whether another try may succeed.
    :param after:   Seconds after which the store wants to be asked again, where it says so.
    """

    code: str
    message: str
    passing: bool
    after: int = 0


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Read a refusal from an answer."""
    of_store, raw_message = code_and_message(body)
    code = of_store or f"HTTP {status}"
    store_message = _plain(raw_message)
    advice = _advice(code, store_message, headers.get(BUCKET_REGION))
    if advice is None and not of_store and status in _ELSEWHERE:
        advice = f"it redirects elsewhere, and no redirect is followed: {_STRANGER}"
    message = f"{code}: {store_message}" if store_message else code
    if of_store:
        message = message.replace(code, f"{code} (HTTP {status})", 1)
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING
    after = number(headers.get("retry-after", "")[:MOST_DIGITS]) or 0  # 0 for a date, or no header
    return Refusal(code, f"{message}; {advice}" if advice else message, passing or code in _PASSING_CODES, after)


def no_object(status: int, headers: Mapping[str, str]) -> Refusal | None:
    """
    Return what an answer without a store's headers is: a network's sign-in page has status 200 too.

    :param headers: By their names in lower case.
    """
    if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        return None
    kind = headers.get("content-type", "no type")
    message = f"an answer of {_plain(kind)} without a store's headers: {_STRANGER}"
    return Refusal(STRANGER, message, passing=True)


def _advice(code: str, words: str, region: str | None) -> str | None:
    if code in _EXPIRED_CODES or (code in {"AccessDenied", "HTTP 403"} and "expired" in words.lower()):
        return EXPIRED
    if "not valid yet" in words.lower():
        return "the clock of the machine that signed the link is ahead"
    if is_of_kms(words):
        return f"a KMS key needs an https link, and behind CloudFront an origin access control: {_ASK}"
    if is_of_owners_key(words):
        return OF_OWNERS_KEY
    if code.startswith("KMS."):
        return "the key that the object is encrypted with cannot be used: ask the object's owner"
    advice = ADVICE.get(code)
    return advice if advice != _REGION or region is None else f"the bucket is in {region}: {advice}"


def _plain(words: str) -> str:
    """Return a store's words for a message, unless they hold what may be a credential."""
    if _CREDENTIAL.search(words):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in words).split()).rstrip(".")[:SHOWN_CHARACTERS]
