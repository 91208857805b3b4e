"""The key that signs for one day: of the URLs, and of the list requests."""

from __future__ import annotations

import hmac
from functools import lru_cache


@lru_cache(maxsize=4)  # days and services that are signed for at a time
def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """
    Derive the key of Signature Version 4.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

    :param secret: Secret access key.
    :param day:    UTC date, such as ``20260401``.
    """
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
