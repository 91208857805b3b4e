"""What replaces Lambda around a hop on this machine: the remaining time, the log, and the hand-over."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from presign_siblings.laptop.progress import STOPPED, Progress
from processor.reporting import EXPIRED, EXPIRING, Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from processor.job import Counts


# What the function's log names, in words; "" where it says nothing to a user at a terminal.
_LONGER = "sign with a longer --expiry-seconds, or with credentials that live longer"
_WORDS = {
    EXPIRED: f"the first links died at {{expires_at}}, before the last one was written: {_LONGER}",
    EXPIRING: f"the first links die at {{expires_at}}, before the last one is written: {_LONGER}",
    "shortfall": "{reason}",
    "parked": "",  # the answer says it
    "divided_unseen": "",
}


class ProgressTelemetry(Telemetry):
    """
    Reports to a caller what the function would log.

    :param told: The warnings that earlier hops of the run have reported; each is reported once.
    """

    def __init__(self, on_progress: Callable[[Progress], None], told: set[str]) -> None:
        super().__init__("", "here", "")
        self._on_progress, self._told = on_progress, told

    def event(self, name: str, **fields: object) -> None:
        """Report nothing: the answer says the same."""

    def warning(self, name: str, **fields: object) -> None:
        """Report a warning."""
        facts = ", ".join(str(value) if at == "reason" else f"{at} {value}" for at, value in fields.items())
        text = _WORDS[name].format(**fields) if name in _WORDS else f"{name}: {facts}"
        if text and text not in self._told:
            self._told.add(text)
            self._on_progress(Progress(warning=text))

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
