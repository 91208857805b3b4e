"""How long a link works: what its URL says, and what it cannot say of the session that signed it."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

SESSION = "ends earlier, with the session that signed it"
SESSION_HOURS = 36  # the longest session that AWS STS gives; that of a role ends after 12
_DATE = re.compile(r"[?&]X-Amz-Date=([0-9]{8}T[0-9]{6}Z)")
_EXPIRES = re.compile(r"[?&]X-Amz-Expires=([0-9]{1,7})(?:&|$)")
_EPOCH = re.compile(r"[?&]Expires=([0-9]{9,11})(?:&|$)")  # CloudFront's, and that of signature version 2
_POLICY = re.compile(r"[?&]Policy=([A-Za-z0-9_~-]+)")  # CloudFront's custom policy, base64 with its own letters
_LESS_THAN = re.compile(r'"DateLessThan":\{"AWS:EpochTime":([0-9]{9,11})\}')
_TOKEN = re.compile(r"[?&](X-Amz-Security-Token|x-amz-security-token)=[^&]")


def dies_at(url: str) -> datetime | None:
    """Return when a URL dies by its own query; ``None`` where the query does not say."""
    date, seconds = _DATE.search(url), _EXPIRES.search(url)
    if date and seconds:
        return _later(date[1], int(seconds[1]))
    epoch, policy = _EPOCH.search(url), _POLICY.search(url)
    if epoch is None and policy is not None:
        epoch = _LESS_THAN.search(_decoded(policy[1]))
    return datetime.fromtimestamp(int(epoch[1]), UTC) if epoch else None


def is_of_session(url: str) -> bool:
    """Whether a session signed a URL, which then dies with the session, whatever its query says."""
    return _TOKEN.search(url) is not None


def ends_at(url: str) -> datetime | None:
    """
    Return the latest instant at which a URL can work.

    For a session's URL that is at most the end of AWS's longest session, had it begun when the URL was signed.
    """
    says, date = dies_at(url), _DATE.search(url)
    if says is None or date is None or not is_of_session(url):
        return says
    return min(says, _later(date[1], SESSION_HOURS * 3600) or says)


@lru_cache(maxsize=8)
def _decoded(policy: str) -> str:
    """Return a policy; an empty text where it cannot be decoded."""
    text = policy.translate(str.maketrans("-_~", "+=/"))
    try:
        return base64.b64decode(text).decode(errors="replace")
    except ValueError:
        return ""


@lru_cache(maxsize=8)
def _later(date: str, seconds: int) -> datetime | None:
    """Return the instant after a date as URLs hold it; ``None`` where that is not a date."""
    try:
        return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None
