"""Rules of what a job takes of a listing (endings, globs, dates); each raises ``InvalidEventError``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from processor.errors import InvalidEventError
from processor.job import s3_names, times

if TYPE_CHECKING:
    from collections.abc import Sequence

Bound = TypeVar("Bound", int, datetime)

LAST = "last"
MAX_GLOBS = 100
MAX_OBJECT_BYTES = 1 << 50
MAX_AGE_SECONDS = 100 * 366 * 86_400
CLASSES = (
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
    "REDUCED_REDUNDANCY",
    "EXPRESS_ONEZONE",
    "OUTPOSTS",
    "SNOW",
)
# Other tools match keys without a folder by **/, too, and either word by {a,b}; [{] is a brace itself.
_OF_OTHERS = re.compile(r"(?<![^/])\*\*/|(?<!\[)\{[^{}]*(?:,|\Z)")
# A glob, or several endings in one: hardly a key ends so.
_NO_ENDING = re.compile(r"\*|\{[^{}]*,|\.\w+[,;|\s]+\.\w")
# In shells and rclone this is one of all other characters; in fnmatch, ^ is one of these.
_NEGATED = re.compile(r"(?<!\[)\[\^[^\]]+\]")
_DATE = re.compile(r"\{(yyyy|mm|dd|hh)\}")  # as in a prefix
_MOMENT = "must be an ISO 8601 time, or a duration before the job's time such as 12h, 7d or P1D"


def suffixes(field: str, value: object) -> str | tuple[str, ...]:
    """Return one ending, or several in order; an empty one among them takes every key, as it does alone."""
    if isinstance(value, str):
        return s3_names.key(field, value)
    found = _texts(field, value)
    return found[0] if len(found) == 1 or "" in found else found


def globs(field: str, value: object) -> tuple[str, ...]:
    """Return globs, each once and in order; an empty string is no glob."""
    return () if value == "" else _texts(field, [value] if isinstance(value, str) else value)


def _texts(field: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > MAX_GLOBS:
        raise InvalidEventError(field, value, f"must be a string, or a list of at most {MAX_GLOBS} strings")
    return tuple(sorted({s3_names.key(field, each) for each in value}))


def moment(field: str, value: object) -> str:
    """Return an instant, or a duration before the job's time, in the one form that its value is written in."""
    seconds = times.length(value) if isinstance(value, str) else None
    if seconds is not None:
        if seconds > MAX_AGE_SECONDS:
            raise InvalidEventError(field, value, _MOMENT)
        return f"PT{seconds}S"
    try:
        return times.instant(field, value).isoformat()
    except InvalidEventError:
        raise InvalidEventError(field, value, _MOMENT) from None


def since(field: str, value: object) -> str:
    """Return a moment, or ``last``: the beginning of the job's last complete run."""
    if value == LAST:
        return LAST
    try:
        return moment(field, value)
    except InvalidEventError:
        raise InvalidEventError(field, value, f"{_MOMENT}; or {LAST}") from None


def instant(written: str, at: datetime) -> datetime:
    """
    Return the instant of a moment.

    :param at: The job's time.
    """
    seconds = times.length(written)
    found = datetime.fromisoformat(written) if seconds is None else at - timedelta(seconds=seconds)
    return found.astimezone(UTC)


def check_bounds(lower: tuple[str, object], upper: tuple[str, object], low: Bound | None, high: Bound | None) -> None:
    """
    Refuse bounds between which nothing lies.

    :param lower: Where the lower bound is written, and what is written there.
    :param upper: The same for the upper bound.
    :raises InvalidEventError: The lower bound is above the upper one.
    """
    if low is not None and high is not None and low > high:
        raise InvalidEventError(*upper, f"must be at least {lower[0]}, which is {lower[1]}")


def check_suffixes(label: str, endings: Sequence[str]) -> None:
    """
    Refuse endings that are globs, or several in one: no key would be taken for them, unnoticed beside others.

    :param label: Where the endings are written.
    """
    strange = next((ending for ending in endings if _NO_ENDING.search(ending)), None)
    if strange is not None:
        rule = "must be an ending such as .pdf, or a list of endings; for a glob, use include"
        raise InvalidEventError(label, strange, rule)


def check_globs(
    include: tuple[str, Sequence[str]], exclude: tuple[str, Sequence[str]], prefixes: Sequence[str]
) -> None:
    """
    Refuse globs that other tools read otherwise: keys would be left out, or linked, unnoticed.

    :param include:  Where the globs are written, and the globs.
    :param exclude:  Likewise.
    :param prefixes: What the job lists.
    """
    for label, named in (include, exclude):
        for glob in named:
            if _OF_OTHERS.search(glob):
                rule = "must not contain **/ or {a,b}: * crosses slashes, and each ending needs its own glob"
                raise InvalidEventError(label, glob, rule)
            if _NEGATED.search(glob):
                raise InvalidEventError(label, glob, "must not contain [^...]: [!...] is one of all other characters")
            if _DATE.search(glob):
                raise InvalidEventError(label, glob, "must not contain a date's placeholder, as only a prefix does")
    for glob in exclude[1]:
        # One of the deployment is for other prefixes, too.
        repeating = _repeating(glob, prefixes) if exclude[0] == "exclude" else None
        reason = repeating or _idle(glob, prefixes)
        if reason is not None:
            raise InvalidEventError(exclude[0], glob, reason)


def _idle(glob: str, prefixes: Sequence[str]) -> str | None:
    """Return what is wrong with a glob that leaves out every key, or none that its writer means."""
    if glob == "*":
        return "must not leave out every key; to take only some keys, use include alone"
    if glob.startswith("s3://"):
        return "must not name the bucket: a glob is for the part of a key after the prefix"
    if glob.startswith("/") and all(prefix == "" or prefix.endswith("/") for prefix in prefixes):
        return "must not begin with a slash, as few keys do: leave it out, or write [/] for a key that does"
    if glob.endswith("/") and not glob.endswith("*/"):  # */ is each folder's own entry
        return f"must not end with a slash, as only a folder's own entry does: write {glob}* for what is in it"
    return None


def _repeating(glob: str, prefixes: Sequence[str]) -> str | None:
    """Return what is wrong with a glob that begins with a prefix."""
    if not any(each and glob.startswith(each if "/" in each else f"{each}/") for each in prefixes):
        return None
    meant = f"if keys repeat it, write [{glob[0]}]{glob[1:]}"
    return f"must not repeat the prefix: a glob is for the part of a key after the prefix; {meant}"
