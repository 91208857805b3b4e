"""What replaces Lambda around a hop on this machine: the remaining time, the log, and the hand-over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from presign_siblings.laptop.progress import STOPPED, Progress
from processor.reporting import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from processor.job import Counts


class ProgressTelemetry(Telemetry):
    """Reports to a caller what the function would log."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        super().__init__("", "here", "")
        self._on_progress = on_progress

    def event(self, name: str, **fields: object) -> None:
        """Report nothing: the answer says the same."""

    def warning(self, name: str, **fields: object) -> None:
        """Report a warning; the answer says that the run was parked."""
        if name == "shortfall":  # a sentence of its own
            self._on_progress(Progress(warning=str(fields["reason"])))
        elif name != "parked":
            self._on_progress(
                Progress(warning=f"{name}: {', '.join(f'{key} {value}' for key, value in fields.items())}")
            )

    def listing_paused(self, reason: str) -> None:
        """Report a request that has failed for now."""
        self._on_progress(Progress(warning=f"{reason}; trying again"))

    writing_paused = listing_paused

    def page(self, counts: Counts, listed: int) -> None:  # noqa: ARG002 - the base class's
        """Report a page that is written."""
        self._on_progress(Progress(counts.count, counts.pages))

    def presign_error(self, key: str, reason: str) -> None:
        """Report a key that could not be signed."""
        self._on_progress(Progress(key=(key, reason)))


class LocalSiblings:
    """
    Replaces sosw's siblings: the next hop runs in this process.

    :param stopping: Whether the operator asked to stop.

    ``payload`` is the payload of the next hop, where one follows.
    """

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self.payload: dict[str, Any] | None = None
        self._stopping = stopping

    def events_rules(self, _context: object) -> tuple[str, ...]:
        """Return no rules: none starts a run on this machine."""
        return ()

    def any_events_rules_enabled(self, _context: object, _names: object = None) -> bool:
        """Let the chain continue: the kill switch of this machine is Ctrl-C."""
        return True

    def get_approximate_concurrent_executions(self) -> None:
        """Return ``None``: the concurrency is unknown."""

    def recursive_loop(self, _context: object) -> str:
        """Return ``Allow``: no Lambda ends this chain."""
        return "Allow"

    def hand_over(self, _context: object, payload: dict[str, Any]) -> str | None:
        """Keep the payload for the next hop, unless the operator asked to stop."""
        self.payload = payload
        return STOPPED if self._stopping() else None


@dataclass(slots=True)
class TimeSlice:
    """One hop's share of time, in the form of a Lambda context."""

    seconds: float
    stopping: Callable[[], bool]
    aws_request_id: str = "here"
    function_name: str = "here"
    function_version: str = "here"
    invoked_function_arn: str = "here"
    began: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the hop must end: 0 once the operator asked to stop."""
        left = 0.0 if self.stopping() else self.began + self.seconds - time.monotonic()
        return max(0, int(left * 1000))
