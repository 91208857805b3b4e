"""An event loop in virtual time: when nothing is ready, the clock jumps to the next timer."""

from __future__ import annotations

from asyncio.base_events import BaseEventLoop
from typing import Any


class VirtualLoop(BaseEventLoop):
    """
    One history's time, in seconds from 0.

    It has no sockets and no threads, so all that runs in it depends only on the order of its timers.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self

    def time(self) -> float:
        """Return the virtual time."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Wait, as a selector would: by moving the clock."""
        if timeout is None:
            raise RuntimeError("the history is stuck: nothing is ready, and no timer is set")
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there are no sockets."""

    def _write_to_self(self) -> None:
        """Do nothing: there are no other threads."""
