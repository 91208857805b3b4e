"""Signature Version 4, as the URLs and the list requests share it: its name, the form of its dates, a day's key."""

from __future__ import annotations

import hmac
from functools import lru_cache

ALGORITHM = "AWS4-HMAC-SHA256"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"


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
