"""
The ledger as the chains of a shared job use it.

Each end of a record's work is reported to the state machine's task that waits for it, after the write of that end; and
each chain adds its progress to the job's own record, and reads there whether the job continues.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from processor.fanout.tasks import Tasks
from processor.ledger import CHECKPOINT_LOST, LIVE, DynamoLedger, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from processor.aws import Connections
    from processor.job import DeploymentSettings, SiblingPayload
    from processor.ledger import Claim, Decision, Ledger, Record


def reporting(
    open_ledger: Callable[[Connections, DeploymentSettings], AbstractAsyncContextManager[Ledger]],
) -> Callable[[Connections, DeploymentSettings], AbstractAsyncContextManager[Ledger]]:
    """
    Let a ledger report to the state machine, where the deployment has one.

    :param open_ledger: Opens the ledger itself.
    """

    @asynccontextmanager
    async def opened(connections: Connections, deployment: DeploymentSettings) -> AsyncIterator[Ledger]:
        async with open_ledger(connections, deployment) as ledger:
            if deployment.state_machine is not None and isinstance(ledger, DynamoLedger):
                yield ReportingLedger(ledger, Tasks(connections.states))
            else:
                yield ledger

    return opened


class ReportingLedger:
    """
    A ledger that reports.

    :param ledger: The ledger itself.
    :param tasks:  Reports to the state machine.
    """

    def __init__(self, ledger: DynamoLedger, tasks: Tasks) -> None:
        self.ledger, self._tasks = ledger, tasks
        self._reported = 0  # keys of this chain that the job's record counts already

    async def claim(self, claim: Claim) -> Decision:
        """
        Decide what an event may do; work that has ended is reported to its task at once.

        :raises RetryableError: The table, or the state machine, does not answer.
        """
        decision = await self.ledger.claim(claim)
        record = decision.record
        if decision.verdict is Verdict.WORK:
            self._reported = record.count
            return replace(decision, record=await self._progressed(record, claim.now, chain_hops=1))
        if decision.verdict in {Verdict.FINISHED, Verdict.PARKED, Verdict.FAILED}:
            await self._tasks.end(record)
        return decision

    async def renew(self, record: Record, now: datetime) -> Record:
        """Keep the lease, and send the task's heartbeat."""
        written = await self.ledger.renew(record, now)
        await self._tasks.beat(written)
        return await self._progressed(written, now)

    async def commit(
        self, record: Record, result: dict[str, Any], expires_at: datetime | None, now: datetime
    ) -> Record:
        """Write down what the answer will say, before the manifest appears."""
        return await self.ledger.commit(record, result, expires_at, now)

    async def hand_over(self, record: Record, to: SiblingPayload, expires_at: datetime | None, now: datetime) -> Record:
        """Let go of the lease for the next hop, before it is called."""
        return await self.ledger.hand_over(record, to, expires_at, now)

    async def fan_out(self, record: Record, to: SiblingPayload, ranges: int, now: datetime) -> Record:
        """Let go of the lease for the state machine, before it is started."""
        return await self.ledger.fan_out(record, to, ranges, now)

    async def park(self, record: Record, to: SiblingPayload, reason: str, now: datetime) -> Record:
        """End the chain for now, resumable."""
        return await self._ended(await self.ledger.park(record, to, reason, now), now)

    async def complete(self, record: Record, now: datetime, to: SiblingPayload | None = None) -> Record:
        """End the run, or a range of it."""
        written = await self.ledger.complete(record, now, to)
        return await self._ended(written, now, ranges_done=1)

    async def fail(self, record: Record, reason: str, now: datetime) -> Record:
        """End the run for good; the job's other chains stop. A run whose checkpoint is lost begins again by itself."""
        written = await self.ledger.fail(record, reason, now)
        return written if reason == CHECKPOINT_LOST else await self._ended(written, now, stop=True)

    async def _ended(self, record: Record, now: datetime, *, stop: bool = False, **more: int) -> Record:
        written = await self._progressed(record, now, stop=stop, **more)
        await self._tasks.end(record)
        return written

    async def _progressed(self, record: Record, now: datetime, *, stop: bool = False, **more: int) -> Record:
        """Add a chain's progress in its range to the job's own record, and return what that record says of the job."""
        place = record.place
        if place.share is None:
            return record
        more |= {"count": record.count - self._reported}
        job = await self.ledger.add_progress(place.job.job_key, place.job_id, now, stop=stop, **more)
        self._reported = record.count
        if job is None:
            return replace(record, stop=True)
        over = job.stop or job.state not in LIVE
        return replace(record, stop=record.stop or over, job_hops=job.chain_hops_used)
