"""A number and what it counts, in words."""

from __future__ import annotations


def plural(number: int, one: str, many: str = "") -> str:
    """
    Return a number with its noun: ``1 key``, ``2,000 keys``.

    :param many: The noun's plural, where it is not made with an s.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
