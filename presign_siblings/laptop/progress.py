"""What a run on this machine reports, and why it stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

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


class TotalProgress:
    """
    Reports several ranges as one run.

    :param before: Keys and pages of earlier ranges.
    """

    def __init__(self, on_progress: Callable[[Progress], None], before: Progress) -> None:
        self._on_progress, self._ranges = on_progress, {-1: before}
        self._warnings = set[str]()

    def update(self, number: int, progress: Progress) -> None:
        """Report the sum of all ranges, each key that could not be signed, and each warning once."""
        if progress.warning is not None:
            if progress.warning not in self._warnings:
                self._warnings.add(progress.warning)
                self._on_progress(progress)
        elif progress.key is not None:
            self._on_progress(progress)
        else:
            self._ranges[number] = progress
            parts = self._ranges.values()
            self._on_progress(Progress(sum(part.count for part in parts), sum(part.pages for part in parts)))
