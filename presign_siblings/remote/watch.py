"""One job, watched: its record, its rate, and what may stop it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from presign_siblings.remote import slowest as slow
from presign_siblings.remote.job_snapshot import total
from presign_siblings.remote.rate import Rate
from processor.ledger import FANNED_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.remote.job_snapshot import JobSnapshot
    from presign_siblings.remote.jobs import Jobs
    from presign_siblings.remote.switches import Switches
    from processor.job import DeploymentSettings

# Between two scans of the whole table for the ranges' records: a scan costs, and a lease not read for 45 s seems over.
SCAN_SECONDS = 20


@dataclass(frozen=True, slots=True)
class WatchSample:
    """
    The state of a job at an instant.

    :param rate:     Keys a second; ``None`` without enough samples.
    :param expected: Keys that the job will have, if known.
    :param left:     Time that the rest will take at this rate.
    :param switches: The switches for all chains, where they may be read.
    :param slowest:  The slowest range, where several chains share the job.
    """

    snapshot: JobSnapshot
    now: datetime
    rate: float | None
    expected: int | None
    left: timedelta | None
    switches: Switches | None = None
    slowest: JobSnapshot | None = None

    def guards(self, budgets: DeploymentSettings) -> dict[str, Any]:
        """
        Return what stops the chain, or may stop it: budgets used and given, the switches, the operator's ``stop``.

        :param budgets: The function's own settings.
        """
        place, record = self.snapshot.record.place, self.snapshot.record
        found: dict[str, Any] = {
            "stop": record.stop,
            "takeovers": record.takeovers,
            "hops": place.hop - place.budget_hop + 1 + record.chain_hops_used,
            "max_hops": budgets.max_hops,
            "age_seconds": round((self.now - place.budget_since).total_seconds()),
            "max_job_seconds": budgets.max_job_seconds,
        }
        if self.switches is not None:
            found["rules"] = {rule.name: "on" if rule.enabled else "off" for rule in self.switches.rules}
            found["reserved_concurrency"] = self.switches.concurrency
        return found

    def to_dict(self, budgets: DeploymentSettings) -> dict[str, Any]:
        """Return the state as JSON values, without any URL."""
        return {
            **self.snapshot.to_dict(self.now),
            "rate": None if self.rate is None else round(self.rate, 1),
            "expected": self.expected,
            "seconds_left": None if self.left is None else self.left.total_seconds(),
            "slowest_range": slow.to_dict(self.slowest, self.now),
            "guards": self.guards(budgets),
        }


def samples(
    jobs: Jobs,
    first: JobSnapshot,
    *,
    expected: int | None = None,
    every: float = 2.0,
    switches: Callable[[], Switches | None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[WatchSample]:
    """
    Sample a job again and again, until no hop follows.

    :param first:    The first state of the job.
    :param expected: Keys that the job will have, if the operator knows.
    :param every:    Seconds between two samples.
    :param switches: Reads the switches for all chains.
    """
    pace, run, snapshot = Rate(first.record.place.started), first.record.job_id, first
    ranges, scan_at = list["JobSnapshot"](), 0.0
    while True:
        now = datetime.now(UTC)
        if snapshot.record.job_id != run:  # a new run of the job
            pace, run = Rate(snapshot.record.place.started), snapshot.record.job_id
        if snapshot.record.state == FANNED_OUT and time.monotonic() >= scan_at:
            ranges, scan_at = jobs.ranges(run), time.monotonic() + SCAN_SECONDS
        pace.observe(snapshot.written, snapshot.record.count)
        keys = total(snapshot, expected)
        left = None if snapshot.is_over else pace.left(keys)
        yield WatchSample(snapshot, now, pace.rate, keys, left, switches(), slow.slowest(ranges, snapshot))
        if snapshot.is_over:
            return
        sleep(every)
        snapshot = jobs.get(first.record.job_key) or snapshot
