"""One check of a manifest, and its result."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """
    One check of a manifest.

    :param name:   What must hold.
    :param passed: Whether it holds.
    :param seen:   What the check saw, for the reader.
    """

    name: str
    passed: bool
    seen: str
