"""Templates of prefixes and of file names: ``{name}`` is a placeholder, ``{{`` and ``}}`` are literal braces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from processor.errors import InvalidEventError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LITERAL = frozenset({"{{", "}}"})
_DATES = {"yyyy": "%Y", "mm": "%m", "dd": "%d", "hh": "%H"}


def pieces(template: str) -> list[tuple[str, str | None]]:
    """Return a template as literals, each with ``None``, and placeholders, each with its name."""
    found: list[tuple[str, str | None]] = []
    end = 0
    for match in _BRACES.finditer(template):
        found.append((template[end : match.start()], None))
        found.append((match[0][0], None) if match[0] in _LITERAL else (match[0], match[1]))
        end = match.end()
    return [piece for piece in [*found, (template[end:], None)] if piece[0]]


def has_placeholders(template: str) -> bool:
    """Return whether a template holds more than literals."""
    return any(name is not None for _, name in pieces(template))


def literal(text: str) -> str:
    """Return the template of a text that holds no placeholder."""
    return text.replace("{", "{{").replace("}", "}}")


def check_placeholders(field: str, template: str, names: Collection[str]) -> None:
    """
    Refuse unknown placeholders, and single braces.

    :raises InvalidEventError: There is one.
    """
    if any(match[0] not in _LITERAL and match[1] not in names for match in _BRACES.finditer(template)):
        known = ", ".join(f"{{{each}}}" for each in names)
        raise InvalidEventError(field, template, f"may hold {known}; a literal brace is written {{{{ or }}}}")


def expand_dates(field: str, template: str, at: datetime) -> str:
    """
    Put the date into ``{yyyy}``, ``{mm}``, ``{dd}`` and ``{hh}``.

    :param at: The job's instant, in UTC.
    :raises InvalidEventError: Another placeholder, or a single brace, is in the template.
    """
    check_placeholders(field, template, _DATES)
    return "".join(text if name is None else at.strftime(_DATES[name]) for text, name in pieces(template))
