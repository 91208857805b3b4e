"""One thing that was looked at, and what was seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing that was looked at.

    :param name:   What must hold.
    :param passed: Whether it did.
    :param seen:   What was seen, for the reader.
    """

    name: str
    passed: bool
    seen: str
