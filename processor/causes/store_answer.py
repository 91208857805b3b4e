"""What all S3-compatible stores have in common in their answers: headers, codes, and message."""

from __future__ import annotations

import re

BUCKET_REGION = "x-amz-bucket-region"
# Every store's answer has one of these; the sign-in page of a network, which has status 200 too, has none.
OF_STORES = frozenset({"etag", "last-modified", "content-range", "x-amz-request-id", "x-amz-id-2", "x-goog-generation"})
READ_BYTES = 1 << 14  # of an error's body; S3's are under 2 KiB, except for SignatureDoesNotMatch
ARCHIVED = "InvalidObjectState"  # the code for an object that must be restored first
# The object does not exist, or no longer.
GONE = frozenset({"NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "HTTP 404"})
OF_OWNERS_KEY = "the object is encrypted under a key that only its owner has (SSE-C): no link can give it"
_CODE = r"<Code>\s*([A-Za-z0-9._-]{1,80})\s*</Code>"
_MESSAGE = r"<Message>([^<]{1,500})</Message>"


def code_and_message(body: bytes) -> tuple[str | None, str]:
    """Return a store's code (``None`` where the body has none) and its message, which may be empty."""
    from html import unescape  # noqa: PLC0415 - loads all names of HTML, for refusals alone

    text = body.decode(errors="replace")
    code, message = re.search(_CODE, text), re.search(_MESSAGE, text)
    return code and code[1], unescape(message[1]) if message else ""


def is_of_kms(message: str) -> bool:
    """Whether a store's message is of an object under a KMS key, which it gives over https to signature version 4."""
    return "server side encryption with aws kms" in message.lower()


def is_of_owners_key(message: str) -> bool:
    """Whether a store's message is of an object under its owner's own key (SSE-C)."""
    return "server side encryption" in message.lower() and not is_of_kms(message)
