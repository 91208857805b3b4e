"""
One event, worked on: claimed in the ledger, run through the pipeline, then committed, handed over or parked.

Knows Lambda's context and the siblings, but not sosw's Processor: what it returns, the app answers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from processor.aws import Connections
from processor.chain.checkpoint_store import CheckpointStore
from processor.chain.execution import Execution
from processor.chain.hop_end import Completed, FannedOut, HandOver, HopEnd, Parked, RangeDone
from processor.chain.resources import OpenLedger, OpenSink, open_client, open_clients, open_ledger
from processor.chain.responses import Responses
from processor.errors import CheckpointLostError, RetryableError, TerminalError, UnderWayError
from processor.lambda_context import LambdaContext, time_left
from processor.ledger import CHECKPOINT_LOST, FANNED_OUT, Claim, Decision, Lease, Unfenced, Verdict
from processor.manifest import Patience, open_s3_sink
from processor.siblings import Guards

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.aws import SigningCredentials
    from processor.chain.answer import Response
    from processor.chain.fan_out import FanOut
    from processor.chain.outcome import Outcome
    from processor.chain.resources import Clients
    from processor.job import DeploymentSettings, Job, SiblingPayload
    from processor.ledger import Ledger, Record
    from processor.reporting import Telemetry
    from processor.siblings import Siblings
    from processor.signing import Distribution

CUT = "RecursiveLoop is Terminate: after about 16 siblings Lambda drops the next one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """
    One invocation.

    :param siblings:    Makes sosw's component when a hand-over needs it.
    :param clock:       UTC.
    :param connections: Opens the clients.
    :param signing:     Credentials that sign in place of the function's own.
    :param distribution: CloudFront distribution, for a job whose URLs CloudFront signs.
    :param ledger:      Opens the ledger.
    :param sink:        Opens where the run writes: client, job, run, claim, whether parts must be equal, and patience.
    :param store:       Opens the run's checkpoints.
    :param in_thread:   Runs a call that blocks, beside the event loop.
    :param fan_out:     Divides a job between several chains, where the deployment can.
    """

    context: LambdaContext
    deployment: DeploymentSettings
    telemetry: Telemetry
    siblings: Callable[[], Siblings]
    clock: Callable[[], datetime]
    connections: Connections = Connections()  # noqa: RUF009 - frozen, holds functions only
    signing: Callable[[], SigningCredentials | None] = lambda: None
    distribution: Callable[[Job], Distribution | None] = lambda _: None
    ledger: OpenLedger = open_ledger
    sink: OpenSink = open_s3_sink
    store: Callable[[S3Client, SiblingPayload], CheckpointStore] = CheckpointStore
    in_thread: Callable[..., Awaitable[Any]] = asyncio.to_thread
    fan_out: FanOut | None = None

    async def run(self, claim: Claim) -> Response:
        """
        Work on an event, or answer it from the ledger.

        :raises PresignSiblingsError: The job failed, or this try of it did.
        """
        async with self.ledger(self.connections, self.deployment) as ledger:
            decision = await self._claimed(ledger, claim)
            place = decision.record.place
            self.telemetry.job(place.job_id, place.hop, None if place.share is None else place.share.number)
            if decision.verdict is not Verdict.WORK:
                return await self._answered(claim, decision)
            self.telemetry.highest(Hop=place.hop)
            self.telemetry.event("start", bucket=place.job.bucket, prefix=place.job.prefix, job_key=place.job.job_key)
            return await self._work(ledger, decision.record, gathers=claim.gathers)

    async def _claimed(self, ledger: Ledger, claim: Claim) -> Decision:
        """
        Claim; a job that waits for a state machine which has ended without it is taken over.

        A finished job begins again where an operator or a lifecycle rule has deleted its manifest.
        """
        decision = await ledger.claim(claim)
        record = decision.record
        if decision.verdict is Verdict.FINISHED and claim.is_new(record) and not await self._is_there(record):
            return await ledger.claim(replace(claim, gone=record.job_id))
        if record.state != FANNED_OUT:
            return decision
        # A deployment that no longer has a state machine waits for none: this chain lists what is left.
        if self.fan_out is not None and not await self.fan_out.machine.has_ended(record.place):
            return decision
        return await ledger.claim(replace(claim, machine_ended=True))

    async def _is_there(self, record: Record) -> bool:
        """Look for the manifest of a job that is complete."""
        place = record.place
        async with open_client(self.connections, self.deployment, 1, None) as (client, _):
            sink = self.sink(client, place.job, place.job_id, record.holder, equal=self.deployment.equal_parts)
            return await sink.composer.found() is not None

    @property
    def _responses(self) -> Responses:
        return Responses(self.telemetry, self.clock, self.deployment.event_bus, self.connections.events)

    async def _answered(self, claim: Claim, decision: Decision) -> Response:
        """Answer without working."""
        record, verdict = decision.record, decision.verdict
        self.telemetry.event("duplicate", verdict=verdict.value, state=record.state)
        if verdict is Verdict.AGAIN:
            raise UnderWayError(f"job {record.job_id} is under way; Lambda delivers this event again")
        if verdict is Verdict.FAILED:
            step = "; resume continues it" if record.is_resumable else ""
            raise TerminalError(f"job {record.job_id} has failed: {record.reason}{step}")
        if verdict is Verdict.PARKED:
            return self._responses.parked(record.place, str(record.reason))
        if verdict is not Verdict.FINISHED or record.result is None:
            skipped = claim.is_new(record) and not claim.waits
            return self._responses.in_progress(record, verdict, claim.time if skipped else None)
        # A retry of the last hop's event: that hop may have ended between the manifest and its announcement.
        await self._responses.report(record, again=not claim.has_ended(record))
        async with open_client(self.connections, self.deployment, 1, self.signing(), signs=True) as (client, _):
            return await self._responses.finished(record, client)

    async def _work(self, ledger: Ledger, record: Record, *, gathers: bool) -> Response:
        if self.fan_out is None and record.place.share is None:
            record = replace(record, place=record.place.of_one_chain())
        lease = Lease(ledger, record, self.clock)
        job = record.place.job
        async with open_clients(self.connections, self.deployment, job.concurrency, self.signing()) as clients:
            execution = self._execution(ledger, record, lease, clients)
            try:
                end: HopEnd = await lease.keep(self._guarded(lease, execution, gathers=gathers))
            except BaseException as error:
                if isinstance(error, TerminalError) and await self._failed(lease, error) and not error.is_resumable:
                    await execution.abort()
                await execution.forget_begun()
                raise
            if isinstance(end, Completed):  # needs the clients
                await lease.complete()
                await execution.tidy()
                return await self._responses.completed(lease.record, clients.signing, end.outcome)
        match end:
            case RangeDone():
                await lease.complete(end.to)
                return self._responses.range_done(end.to, end.outcome)
            case FannedOut():
                return await self._fanned_out(lease, end)
            case HandOver() | Parked():
                return await self._handed_over(lease, end, fenced=not isinstance(ledger, Unfenced))

    def _execution(self, ledger: Ledger, record: Record, lease: Lease, clients: Clients) -> Execution:
        place, job = record.place, record.place.job
        divides = job.chains > 1 and place.share is None
        left = partial(time_left, self.context, self.deployment.shutdown_period)
        equal, patience = self.deployment.equal_parts, Patience(left, self.telemetry.writing_paused)
        return Execution(
            claimed=record,
            lease=lease,
            clients=clients,
            deployment=self.deployment,
            telemetry=self.telemetry,
            time_left=left,
            clock=self.clock,
            store=self.store(clients.s3, place),
            load=lambda other: self.store(clients.s3, other).load(),
            ledger=ledger,
            sink=self.sink(clients.s3, job, place.job_id, record.holder, equal=equal, patience=patience),
            distribution=self.distribution(job),
            fan_out=self.fan_out if divides else None,
        )

    async def _failed(self, lease: Lease, error: TerminalError) -> bool:
        """
        Write down that the run is over, before its upload is aborted: a run that may continue needs it.

        :return: Whether that is written; if not, the next try of the event finds the run as it was.
        """
        try:
            await lease.fail(CHECKPOINT_LOST if isinstance(error, CheckpointLostError) else type(error).__name__)
        except RetryableError:
            return False  # the job's own error is the one that Lambda must see
        return True

    async def _guarded(self, lease: Lease, execution: Execution, *, gathers: bool) -> HopEnd:
        """
        Work, then ask the guards; the lease is renewed first, which shows whether an operator asked to stop.

        :param gathers: The event is an automatic hop: chains that are not done then wait for an operator.
        """
        outcome = await execution.outcome()
        if outcome is None or outcome.complete:
            return Completed(outcome)
        counts, to = outcome.checkpoint.counts, await execution.save(outcome)
        self.telemetry.event("checkpoint", count=counts.count, pages=counts.pages, checkpoint=to.checkpoint_key)
        self._count_hops(_hops(lease.record, to) - outcome.divided)
        if to.share is not None and outcome.checkpoint.is_listed:
            return RangeDone(outcome, to)
        await lease.renew()
        if outcome.divided and outcome.waiting is not None and gathers:
            return Parked(outcome, to, outcome.waiting)
        limits = self.deployment
        guards = Guards(self.siblings(), limits.max_hops, limits.max_job_seconds, limits.max_concurrent_siblings)
        hops = _hops(lease.record, to) - outcome.divided  # giving the ranges out is no hand-over
        to, reason = await self.in_thread(
            guards.check, self.context, to, outcome.steps, self.clock(), stop=lease.stop, hops=hops
        )
        if reason is not None:
            return Parked(outcome, to, reason)
        await self._warn_of_cut(guards, outcome)
        if outcome.divided and self.fan_out is not None:
            return await self._planned(self.fan_out, execution, outcome, to)
        return HandOver(outcome, to)

    def _count_hops(self, hops: int) -> None:
        """Report how much of the job's budget is used; a hop that completes the job needs no more of it."""
        self.telemetry.highest(HopBudgetPercent=100 * hops / self.deployment.max_hops)

    async def _planned(self, fan_out: FanOut, execution: Execution, outcome: Outcome, to: SiblingPayload) -> FannedOut:
        """Store the ranges that are to be given to chains."""
        key = await fan_out.store(execution.clients.s3, to, outcome.checkpoint, execution.claimed.holder)
        waiting = sum(not written.range.done for written in outcome.checkpoint.ranges)
        return FannedOut(outcome, to, key, waiting)

    async def _fanned_out(self, lease: Lease, end: FannedOut) -> Response:
        """
        Let go of the lease, then start the state machine.

        :raises RetryableError: Whether it has started is not known; the retry of the event finds out.
        """
        if self.fan_out is None:
            raise RuntimeError("there is no state machine to start the chains")
        await lease.fan_out(end.to, end.ranges)
        machine = self.fan_out.machine
        refused = await machine.start(end.to, end.plan_key, self.telemetry.execution_not_accepted)
        if refused is None:
            return self._responses.fanned_out(end.to, end.outcome, end.ranges, machine.execution(end.to))
        await lease.park(end.to, refused)
        return self._responses.parked(end.to, refused, end.outcome)

    async def _warn_of_cut(self, guards: Guards, outcome: Outcome) -> None:
        """Warn once a chain, at its first hand-over, that Lambda's recursion guard will cut it."""
        if outcome.start.hop == 0 and await self.in_thread(guards.cut_after_sixteen, self.context):
            self.telemetry.warning("recursive_loop", reason=CUT)

    async def _handed_over(self, lease: Lease, end: HandOver | Parked, *, fenced: bool) -> Response:
        """
        Let go of the lease, then call the sibling; nothing raises once it was accepted.

        :param fenced: Whether a ledger stops a second sibling, so that a lost answer of the invoke may be tried again.
        """
        outcome, to, warning = end.outcome, end.to, self._responses.warning(lease.record, end.outcome)
        if isinstance(end, Parked):
            reason: str | None = end.reason
        else:
            await lease.hand_over(to, outcome.checkpoint.counts.expires_at)
            reason = self.siblings().hand_over(self.context, to.to_payload())
            if reason is not None and reason.startswith("sibling_unknown") and fenced:
                # The retry continues, unless the sibling began after all.
                raise RetryableError(f"it is not known whether the sibling was accepted: {reason}")
        if reason is None:
            return self._responses.continued(to, outcome, warning)
        await lease.park(to, reason)
        return self._responses.parked(to, reason, outcome, warning)


def _hops(record: Record, to: SiblingPayload) -> int:
    """Return how many hops count in the job's budget: of all of its chains."""
    return to.hop - to.budget_hop + record.chain_hops_used if record.job_hops is None else record.job_hops
