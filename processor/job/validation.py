"""
The rule of each kind of field: take what a caller wrote, return the checked value or raise ``InvalidEventError``.

Limits are S3's: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html (bucket names),
object-keys.html (1,024 UTF-8 bytes), and 7 days for a SigV4 query signature.
"""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from processor.errors import InvalidEventError
from processor.hindrances import has_dots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_KEY_BYTES = 1024
MAX_PLACE_BYTES = 900  # of the keys under a manifest prefix, a piece's is the longest: some 100 bytes behind it
MAX_LINE = 200  # characters
_JOINERS = "\u200c\u200d"
DIRECTORY = ("--x-s3", "--xa-s3")  # how the names of S3 Express directory buckets, and of their access points, end
_YEARS = range(1000, 9001)  # of an instant: dates before and after it are computed
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ACCESS_POINT = re.compile(r"arn:aws[a-z-]*:s3:[a-z0-9-]+:[0-9]{12}:accesspoint[/:][a-z0-9][a-z0-9-]{1,48}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SHORT_DURATION = re.compile(r"([0-9]{1,12})\s?([smhdwSMHDW])")
_ISO_DURATION = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,9})W)?(?:([0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,12})S)?)?"
)
_ISO_UNITS = (604_800, 86_400, 3_600, 60, 1)


def text(field: str, value: object) -> str:
    """Return a string that UTF-8 can carry."""
    if not isinstance(value, str):
        raise InvalidEventError(field, value, "must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidEventError(field, value, "must be valid Unicode, without lone surrogates") from None
    return value


def line(field: str, value: object) -> str:
    """
    Return a line for a reader; the only invisible characters in it are the joiners that some scripts need.

    :raises InvalidEventError: It is longer than a heading, or holds what breaks the line or turns its direction.
    """
    written = text(field, value)
    if len(written) > MAX_LINE or not all(each.isprintable() or each in _JOINERS for each in written):
        rule = f"must be one line of at most {MAX_LINE} characters, none of which controls or hides others"
        raise InvalidEventError(field, value, rule)
    return written.strip()


def integer(field: str, value: object, low: int, high: int) -> int:
    """Return an integer of the closed range; digit strings count, booleans do not."""
    rule = f"must be an integer from {low} to {high}"
    found = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value) else value
    if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
        raise InvalidEventError(field, value, rule)
    return found


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
    rule = f"must be {low} to {high} seconds, as a number or as a duration such as 90s, 15m, 12h, 7d or P1DT12H"
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


def flag(field: str, value: object) -> bool:
    """Return a boolean; no other type counts."""
    if not isinstance(value, bool):
        raise InvalidEventError(field, value, "must be true or false")
    return value


def switch(field: str, value: object) -> bool:
    """Return a boolean; a variable holds it as a word."""
    if value in ("true", "false"):
        return value == "true"
    return flag(field, value)


def choice(field: str, value: object, choices: Sequence[str]) -> str:
    """Return one of the given words."""
    if value not in choices or not isinstance(value, str):
        raise InvalidEventError(field, value, f"must be one of {', '.join(choices)}")
    return value


def matching(field: str, value: object, pattern: re.Pattern[str], rule: str) -> str:
    """
    Return a string that matches a pattern as a whole.

    :param rule: The pattern in words.
    :raises InvalidEventError: It does not.
    """
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidEventError(field, value, rule)
    return value


def variable(name: str, environment: Mapping[str, str], pattern: re.Pattern[str], rule: str) -> str | None:
    """
    Return a variable of the environment that matches a pattern; ``None`` where it is absent or empty.

    :param rule: The pattern in words.
    :raises InvalidEventError: It does not match.
    """
    value = environment.get(name) or None
    return None if value is None else matching(name, value, pattern, rule)


def entries(written: str) -> list[str]:
    """Return the entries of a list between commas, without the blanks around them."""
    return [entry.strip() for entry in written.split(",") if entry.strip()]


def several(field: str, value: object) -> tuple[str, ...]:
    """
    Return texts: a list of them, or one string that holds them between commas or as JSON.

    :raises InvalidEventError: It is neither.
    """
    found = listed(text(field, value)) if isinstance(value, str) else value
    found = entries(found) if isinstance(found, str) else found
    if not isinstance(found, list | tuple):
        raise InvalidEventError(field, value, "must be a list of strings, or one string with commas")
    return tuple(text(field, each) for each in found)


def listed(written: str) -> object:
    """
    Return what a variable of the environment holds: a JSON list, texts between commas as a list, or one text.

    Blanks around a text do not count: the tools that set variables leave line ends in them.
    """
    written = written.strip()
    if written.startswith("["):
        try:
            return json.loads(written)
        except ValueError:
            pass  # a glob may begin so, too
    return entries(written) if "," in written else written


def log_level(field: str, value: object) -> None:
    """Refuse a value that is not a log level; ``None`` leaves the level as it is."""
    is_named = isinstance(value, str) and value in LOG_LEVELS
    is_number = isinstance(value, int) and not isinstance(value, bool) and logging.getLevelName(value) in LOG_LEVELS
    if value is not None and not is_named and not is_number:
        raise InvalidEventError(field, value, f"must be one of {', '.join(LOG_LEVELS)}")


def bucket(field: str, value: object) -> str:
    """Return a bucket name that S3 allows."""
    name = text(field, value)
    if not _BUCKET.fullmatch(name) or ".." in name or _ADDRESS.fullmatch(name):
        raise InvalidEventError(
            field, value, "must be an S3 bucket name: 3 to 63 lower-case letters, digits, dots and hyphens"
        )
    if name.endswith(DIRECTORY):
        raise InvalidEventError(
            field, value, "must not be a directory bucket: it lists in no order, and its URLs die within five minutes"
        )
    return name


def source_bucket(field: str, value: object) -> str:
    """Return a bucket name, or the ARN of an access point in its place; an alias is a bucket name, too."""
    name = text(field, value)
    return name if _ACCESS_POINT.fullmatch(name) else bucket(field, name)


def is_access_point(bucket: object) -> bool:
    """Whether a bucket is an access point's ARN."""
    return isinstance(bucket, str) and _ACCESS_POINT.fullmatch(bucket) is not None


def key(field: str, value: object) -> str:
    """Return a key, or the beginning of one: at most 1,024 UTF-8 bytes."""
    name = text(field, value)
    if len(name.encode()) > MAX_KEY_BYTES:
        raise InvalidEventError(field, value, f"must be at most {MAX_KEY_BYTES} UTF-8 bytes")
    return name


def manifest_place(field: str, value: object) -> str:
    """
    Return the prefix of manifests' keys.

    :raises InvalidEventError: It is empty, leaves no room for the keys under it, or clients would change these.
    """
    name = not_empty(field, text(field, value))
    if len(name.encode()) > MAX_PLACE_BYTES:
        rule = f"must be at most {MAX_PLACE_BYTES} UTF-8 bytes, so that keys of checkpoints under it have at most"
        raise InvalidEventError(field, value, f"{rule} {MAX_KEY_BYTES}")
    if has_dots(f"{name}manifest"):
        raise InvalidEventError(
            field, value, "must not have . or .. as a path segment: a browser would ask for another manifest"
        )
    return name


def not_empty(field: str, value: str) -> str:
    """Return a string that has at least one character."""
    if not value:
        raise InvalidEventError(field, value, "must not be empty")
    return value


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
