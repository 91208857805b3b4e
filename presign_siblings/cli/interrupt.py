"""Ctrl-C as a wish to stop, and twice as a command."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from presign_siblings.errors import STOPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@dataclass(slots=True)
class StopRequest:
    """
    A person's wish to stop, by Ctrl-C or SIGTERM.

    :param code: Exit code of the signal that came.
    """

    note: Callable[[str], None]
    code: int = 0

    def __bool__(self) -> bool:
        """Whether there is one."""
        return self.code != 0

    def hear(self, number: int, _frame: FrameType | None) -> None:
        """Take the first signal as a wish; the second ends the work at once."""
        if self:
            raise KeyboardInterrupt
        self.code = STOPPED - signal.SIGINT + number
        self.note("stopping at the next page; once more stops at once, and goes on from the last checkpoint")

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Listen meanwhile."""
        before = {number: signal.signal(number, self.hear) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
