"""What stands around a hop on this machine in Lambda's place: its time, its lines, and the hand-over to itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from processor.reporting import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from processor.job import Checkpoint

STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Progress:
    """
    What a run tells while it works.

    :param key:     A key that could not be signed, and why.
    :param warning: Something that a person should know.
    """

    count: int = 0
    pages: int = 0
    key: tuple[str, str] | None = None
    warning: str | None = None


class ProgressTelemetry(Telemetry):
    """What the function would log, told to whoever watches instead."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        super().__init__("", "here", "")
        self._tell = tell

    def event(self, name: str, **fields: object) -> None:
        """Say nothing: the answer tells."""

    def warning(self, name: str, **fields: object) -> None:
        """Tell what a person should know; that the run was parked is in the answer."""
        if name != "parked":
            self._tell(Progress(warning=f"{name}: {', '.join(f'{key} {value}' for key, value in fields.items())}"))

    def page(self, checkpoint: Checkpoint, listed: int) -> None:  # noqa: ARG002 - the base class's
        """Tell of a page that is written."""
        self._tell(Progress(checkpoint.count, checkpoint.pages))

    def presign_error(self, key: str, reason: str) -> None:
        """Tell of a key that could not be signed."""
        self._tell(Progress(key=(key, reason)))


class LocalSiblings:
    """
    Stands in for sosw's siblings: the next hop is this process's own.

    :param stopping: Whether a person has asked to stop.

    ``payload`` is what the next hop is told.
    """

    config: Mapping[str, Any] = MappingProxyType({"max_concurrent_siblings": 1})

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self.payload: dict[str, Any] = {}
        self._stopping = stopping

    def events_rules(self, _context: object) -> tuple[str, ...]:
        """No rule starts anything here."""
        return ()

    def any_events_rules_enabled(self, _context: object, _names: object = None) -> bool:
        """Let it go on: the switch is Ctrl-C."""
        return True

    def get_approximate_concurrent_executions(self) -> None:
        """Know of nobody else."""

    def recursive_loop(self, _context: object) -> str:
        """No Lambda cuts this chain."""
        return "Allow"

    def hand_over(self, _context: object, payload: dict[str, Any]) -> str | None:
        """Keep the payload for the next hop, unless a person wants to stop."""
        self.payload = payload
        return STOPPED if self._stopping() else None


@dataclass(slots=True)
class TimeSlice:
    """One hop's share of time, as a Lambda context tells it."""

    seconds: float
    stopping: Callable[[], bool]
    aws_request_id: str = "here"
    function_name: str = "here"
    function_version: str = "here"
    invoked_function_arn: str = "here"
    began: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the hop must end: none once a person wants to stop."""
        left = 0.0 if self.stopping() else self.began + self.seconds - time.monotonic()
        return max(0, int(left * 1000))
