"""What a run on this machine reports, and why it stops."""

from __future__ import annotations

from dataclasses import dataclass

STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """
    What a run reports while it works.

    :param key:     A key that could not be signed, and why.
    :param warning: Something that the operator should know.
    """

    count: int = 0
    pages: int = 0
    key: tuple[str, str] | None = None
    warning: str | None = None
