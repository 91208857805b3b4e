"""The numbers of an HTTP head, which anything that stands between may have written."""

from __future__ import annotations

MOST_DIGITS = 18  # an object has 13 at most; Python makes no number of thousands


def number(told: str) -> int | None:
    """Return the number that a header tells; ``None`` where it tells none."""
    return int(told) if told.isascii() and told.isdigit() and len(told) <= MOST_DIGITS else None
