"""
Rules of plain values: take what a caller wrote, return the checked value or raise ``InvalidEventError``.

``times`` has the rules of durations and instants, ``s3_names`` those of buckets and keys.
"""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

MAX_LINE = 200  # characters
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_JOINERS = "\u200c\u200d"


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
        rule = f"must be one line of at most {MAX_LINE} characters, without control or invisible characters"
        raise InvalidEventError(field, value, rule)
    return written.strip()


def fields(field: str, value: object, names: AbstractSet[str]) -> dict[str, Any]:
    """Return an object that has exactly the named fields."""
    if not isinstance(value, dict) or value.keys() != names:
        raise InvalidEventError(field, value, f"must be an object with exactly {', '.join(sorted(names))}")
    return value


def integer(field: str, value: object, low: int, high: int) -> int:
    """Return an integer of the closed range; digit strings count, booleans do not."""
    rule = f"must be an integer from {low} to {high}"
    found = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value) else value
    if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
        raise InvalidEventError(field, value, rule)
    return found


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
    :raises InvalidEventError: It does not match.
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


def not_empty(field: str, value: str) -> str:
    """Return a string that has at least one character."""
    if not value:
        raise InvalidEventError(field, value, "must not be empty")
    return value
