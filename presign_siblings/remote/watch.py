"""One job, watched: its record, its pace, and what holds it back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from presign_siblings.remote.jobs import total
from presign_siblings.remote.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.remote.jobs import Jobs, JobSnapshot
    from presign_siblings.remote.switches import Switches
    from processor.job import DeploymentSettings


@dataclass(frozen=True, slots=True)
class WatchSample:
    """
    What is known of a job at an instant.

    :param rate:     Keys a second; ``None`` when there is nothing to tell from.
    :param expected: Keys that it will have, as far as anybody knows.
    :param left:     How long the rest will take at this rate.
    :param switches: What stops all chains, when it may be read.
    """

    seen: JobSnapshot
    now: datetime
    rate: float | None
    expected: int | None
    left: timedelta | None
    switches: Switches | None = None

    def guards(self, budgets: DeploymentSettings) -> dict[str, Any]:
        """
        Return what holds the chain back, or would: budgets used and given, the switches, a person's ``stop``.

        :param budgets: The function's own settings.
        """
        place, record = self.seen.record.place, self.seen.record
        told: dict[str, Any] = {
            "stop": record.stop,
            "takeovers": record.takeovers,
            "hops": place.hop - place.budget_hop + 1,
            "max_hops": budgets.max_hops,
            "age_seconds": round((self.now - place.budget_since).total_seconds()),
            "max_job_seconds": budgets.max_job_seconds,
        }
        if self.switches is not None:
            told["rules"] = {rule.name: "on" if rule.enabled else "off" for rule in self.switches.rules}
            told["reserved_concurrency"] = self.switches.concurrency
        return told

    def to_dict(self, budgets: DeploymentSettings) -> dict[str, Any]:
        """Return all of it as JSON values; there is no URL in it."""
        return {
            **self.seen.to_dict(self.now),
            "rate": None if self.rate is None else round(self.rate, 1),
            "expected": self.expected,
            "seconds_left": None if self.left is None else self.left.total_seconds(),
            "guards": self.guards(budgets),
        }


def looks(
    jobs: Jobs,
    first: JobSnapshot,
    *,
    expected: int | None = None,
    every: float = 2.0,
    switches: Callable[[], Switches | None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[WatchSample]:
    """
    Look at a job again and again, until no hop of it follows by itself.

    :param first:    The job as it was found.
    :param expected: Keys that it will have, when a person knows.
    :param every:    Seconds between two looks.
    :param switches: Looks at what stops all chains.
    """
    pace, run, seen = Rate(first.record.place.started), first.record.job_id, first
    while True:
        now = datetime.now(UTC)
        if seen.record.job_id != run:  # a new run of the job
            pace, run = Rate(seen.record.place.started), seen.record.job_id
        pace.see(seen.written, seen.record.count)
        will = total(seen, expected)
        left = None if seen.is_over else pace.left(will)
        yield WatchSample(seen, now, pace.rate, will, left, switches())
        if seen.is_over:
            return
        sleep(every)
        seen = jobs.get(first.record.job_key) or seen
