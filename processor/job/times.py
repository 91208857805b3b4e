"""Durations and instants as callers write them: each rule returns the checked value or raises an error."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from processor.errors import InvalidEventError
from processor.job.validation import text

WRITTEN = "as a number or as a duration such as 90s, 15m, 12h, 7d or P1DT12H"
_YEARS = range(1000, 9001)  # of an instant, so that dates before and after it can be computed
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SHORT_DURATION = re.compile(r"([0-9]{1,12})\s?([smhdwSHDW])")  # M is a month in other tools
_ISO_DURATION = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,12})S)?)?"
)
_ISO_UNITS = (604_800, 86_400, 3_600, 60, 1)


def seconds(field: str, value: object, low: float, high: float) -> float:
    """Return seconds of the closed range: a number, a digit string or a duration; booleans do not count."""
    rule = f"must be a number of seconds from {low:g} to {high:g}, or a duration such as 90s or PT90S"
    found = value
    if isinstance(value, str):
        found = float(value) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", value) else length(value)
    if isinstance(found, bool) or not isinstance(found, int | float) or not low <= found <= high:
        raise InvalidEventError(field, value, rule)
    return float(found)


def duration(field: str, value: object, low: int, high: int) -> int:
    """
    Return whole seconds of the closed range: a number of them, or a duration such as ``12h``, ``7d`` or ``P1DT12H``.

    :raises InvalidEventError: It is neither, or out of the range.
    """
    rule = f"must be {low} to {high} seconds, {WRITTEN}"
    seconds = value
    if isinstance(value, str):
        seconds = int(value) if re.fullmatch(r"[0-9]{1,18}", value) else length(value)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not low <= seconds <= high:
        raise InvalidEventError(field, value, rule)
    return seconds


def length(text: str) -> int | None:
    """Return the seconds of a duration, ``7d`` or ISO 8601's ``P7D``; months and years have no fixed length."""
    if (short := _SHORT_DURATION.fullmatch(text)) is not None:
        return int(short[1]) * _UNITS[short[2].lower()]
    found = _ISO_DURATION.fullmatch(text.upper())
    if found is None or not any(found.groups()):
        return None
    return sum(int(number) * unit for number, unit in zip(found.groups(), _ISO_UNITS, strict=True) if number)


def instant(field: str, value: object) -> datetime:
    """Return an instant in UTC from ISO 8601; a time without an offset is UTC."""
    rule = f"must be an ISO 8601 time of the years {_YEARS[0]} to {_YEARS[-1]}, e.g. 2026-04-01T06:00:00Z"
    try:
        parsed = datetime.fromisoformat(text(field, value))
        found = parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidEventError(field, value, rule) from None
    if found.year not in _YEARS:
        raise InvalidEventError(field, value, rule)
    return found


def epoch(field: str, value: object) -> datetime:
    """Return an instant in UTC from seconds since 1970, as a number or in a string."""
    try:
        return datetime.fromtimestamp(float(str(value)), UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidEventError(field, value, "must be seconds since 1970") from None
