"""Amounts in words."""

from __future__ import annotations


def span(seconds: float) -> str:
    """Return a span of time for a reader: the two largest of its units."""
    if 0 < seconds < 10:  # noqa: PLR2004 - below, a digit more tells something
        return f"{seconds:.1f} s"
    left, parts = round(seconds), list[str]()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, left = divmod(left, size)
        if amount or (unit == "s" and not parts):
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2])
