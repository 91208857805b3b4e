"""How long a link works: what its URL says, and what it cannot say of the session that signed it."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from processor.signing_key import DATE_FORMAT

SESSION = "ends earlier, with the session that signed it"
SESSION_HOURS = 36  # the longest session that AWS STS gives; that of a role ends after 12
_DATE = re.compile(r"&X-Amz-Date=([0-9]{8}T[0-9]{6}Z)")
_EXPIRES = re.compile(r"&X-Amz-Expires=([0-9]{1,7})(?:&|$)")
_EPOCH = re.compile(r"&Expires=([0-9]{9,11})(?:&|$)")  # CloudFront's, and that of signature version 2
_POLICY = re.compile(r"&Policy=([A-Za-z0-9_~-]+)")  # CloudFront's custom policy, base64 with its own letters
_LESS_THAN = re.compile(r'"DateLessThan":\{"AWS:EpochTime":([0-9]{9,11})\}')
_TOKEN = re.compile(r"&(X-Amz-Security-Token|x-amz-security-token)=[^&]")


class Lifetime(NamedTuple):
    """
    What a URL says of its own end.

    :param dies_at:    When it dies by its own query; ``None`` where the query does not say.
    :param ends_at:    Latest instant at which it can work: that of a session's URL is at most the end of AWS's longest
                       session, had it begun when the URL was signed.
    :param of_session: Whether a session signed it: then it dies with the session, whatever its query says.
    """

    dies_at: datetime | None
    ends_at: datetime | None
    of_session: bool


def lifetime_of(url: str) -> Lifetime:
    """Return what a URL says of its own end; what URLs of one second share is read once."""
    query = url.partition("?")[2]
    before, signature, after = query.rpartition("Signature=")
    return _of_query(f"&{before}&{after.partition('&')[2]}" if signature else f"&{query}")


@lru_cache(maxsize=8)
def _of_query(query: str) -> Lifetime:
    date, of_session = _DATE.search(query), _TOKEN.search(query) is not None
    dies_at = _dies_at(query, date and date[1])
    if dies_at is None or date is None or not of_session:
        return Lifetime(dies_at, dies_at, of_session)
    return Lifetime(dies_at, min(dies_at, _later(date[1], SESSION_HOURS * 3600) or dies_at), of_session)


def _dies_at(query: str, date: str | None) -> datetime | None:
    seconds = _EXPIRES.search(query)
    if date and seconds:
        return _later(date, int(seconds[1]))
    epoch, policy = _EPOCH.search(query), _POLICY.search(query)
    if epoch is None and policy is not None:
        epoch = _LESS_THAN.search(_decoded(policy[1]))
    return datetime.fromtimestamp(int(epoch[1]), UTC) if epoch else None


def _decoded(policy: str) -> str:
    """Return a policy; an empty text where it cannot be decoded."""
    text = policy.translate(str.maketrans("-_~", "+=/"))
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return ""


def _later(date: str, seconds: int) -> datetime | None:
    """Return the instant after a date as URLs hold it; ``None`` where that is not a date."""
    try:
        return datetime.strptime(date, DATE_FORMAT).replace(tzinfo=UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None
