"""
One event, worked on: claimed in the ledger, run through the pipeline, then committed, handed over or parked.

Knows Lambda's context and the siblings, but not sosw's Processor: what it returns, the app answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from processor.aws import apply_settings, credentials_end, open_dynamodb, open_s3
from processor.chain.checkpoint_store import CheckpointStore
from processor.chain.execution import Clients, Execution
from processor.chain.responses import Response, Responses
from processor.errors import CheckpointLostError, RetryableError, TerminalError, UnderWayError
from processor.lambda_context import LambdaContext, time_left
from processor.ledger import CHECKPOINT_LOST, Claim, Decision, DynamoLedger, Lease, Ledger, Record, Unfenced, Verdict
from processor.manifest import ManifestWriter
from processor.siblings import Guards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.aws import SigningCredentials
    from processor.chain.pipeline import Outcome, Writer
    from processor.job import DeploymentSettings, Job, SiblingPayload, Upload
    from processor.reporting import Telemetry
    from processor.siblings import Siblings

CUT = "RecursiveLoop is Terminate: after about 16 siblings Lambda drops the next one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """
    One invocation.

    :param siblings: Makes sosw's component when a hand-over needs it.
    :param clock:    UTC.
    :param signing:  Credentials that sign in place of the function's own.
    :param writer:   Opens the manifest: client, job, run, upload so far, first part number.
    :param store:    Opens the run's checkpoints.
    """

    context: LambdaContext
    deployment: DeploymentSettings
    telemetry: Telemetry
    siblings: Callable[[], Siblings]
    clock: Callable[[], datetime]
    signing: Callable[[], SigningCredentials | None] = lambda: None
    writer: Callable[[S3Client, Job, str, Upload, int], Writer] = ManifestWriter
    store: Callable[[S3Client, SiblingPayload], CheckpointStore] = CheckpointStore

    async def run(self, claim: Claim) -> Response:
        """
        Work on an event, or answer it from the ledger.

        :raises PresignSiblingsError: The job failed, or this try of it did.
        """
        async with self._ledger() as ledger:
            decision = await ledger.claim(claim)
            place = decision.record.place
            self.telemetry.job(place.job_id, place.hop)
            if decision.verdict is not Verdict.WORK:
                return await self._answered(claim, decision)
            self._count_hop(place)
            self.telemetry.event("start", bucket=place.job.bucket, prefix=place.job.prefix, job_key=place.job.job_key)
            return await self._work(ledger, decision.record)

    @property
    def _answers(self) -> Responses:
        return Responses(self.telemetry, self.clock, self.deployment.event_bus)

    def _count_hop(self, place: SiblingPayload) -> None:
        """Tell how far the chain is, and how much of its budget this hop uses up."""
        used = (place.hop - place.budget_hop + 1) / self.deployment.max_hops
        self.telemetry.highest(Hop=place.hop, HopBudgetPercent=100 * used)

    @contextlib.asynccontextmanager
    async def _ledger(self) -> AsyncIterator[Ledger]:
        if self.deployment.jobs_table is None:
            yield Unfenced()
            return
        async with open_dynamodb() as client:
            yield DynamoLedger(client, self.deployment.jobs_table, self.deployment)

    async def _answered(self, claim: Claim, decision: Decision) -> Response:
        """Answer without working."""
        record, verdict = decision.record, decision.verdict
        self.telemetry.event("duplicate", verdict=verdict.value, state=record.state)
        if verdict is Verdict.AGAIN:
            raise UnderWayError(f"job {record.job_id} is under way; Lambda delivers this event again")
        if verdict is Verdict.FAILED:
            raise TerminalError(f"job {record.job_id} has failed: {record.reason}")
        if verdict is Verdict.PARKED:
            return self._answers.parked(record.place, str(record.reason))
        if verdict is not Verdict.FINISHED or record.result is None:
            return self._answers.in_progress(record, verdict)
        # The last hop's own event, once more: it may have ended between the manifest and the announcement.
        is_last = (claim.run.job_id, claim.run.hop) == (record.job_id, record.place.hop)
        await self._answers.tell(record, announced=not is_last)
        async with open_s3(self.deployment.endpoint_url, 1, self.signing()) as (client, _):
            apply_settings(client, self.deployment)
            return await self._answers.finished(record, client)

    async def _work(self, ledger: Ledger, record: Record) -> Response:
        lease = Lease(ledger, record, self.clock, lambda: record.next_part)
        async with self._clients(record.place.job) as clients:
            work = Execution(
                claimed=record,
                ledger=ledger,
                lease=lease,
                clients=clients,
                deployment=self.deployment,
                telemetry=self.telemetry,
                time_left=lambda: time_left(self.context, self.deployment.shutdown_period),
                clock=self.clock,
                store=self.store(clients.s3, record.place),
                open_writer=self.writer,
            )
            try:
                outcome, to, reason = await lease.keep(self._guarded(ledger, lease, work))
            except TerminalError as error:
                if await self._failed(ledger, lease.record, error):
                    await work.abort()
                raise
            if outcome is None or to is None:
                complete = await ledger.complete(lease.record, self.clock())
                return await self._answers.completed(complete, clients.signing, outcome)
        return await self._hand_over(ledger, lease, outcome, to, reason)

    async def _failed(self, ledger: Ledger, record: Record, error: TerminalError) -> bool:
        """
        Write down that the run is over, before its upload is aborted: a run that may go on needs it.

        :return: Whether that is written; if not, the next try of the event finds the run as it was.
        """
        reason = CHECKPOINT_LOST if isinstance(error, CheckpointLostError) else type(error).__name__
        try:
            await ledger.fail(record, reason, self.clock())
        except RetryableError:
            return False  # the job's own error is the one that Lambda must see
        return True

    @contextlib.asynccontextmanager
    async def _clients(self, job: Job) -> AsyncIterator[Clients]:
        """Open the client that lists and writes, and the one that signs: the same, unless other credentials are to."""
        signing = self.signing()
        async with contextlib.AsyncExitStack() as stack:

            async def opened(concurrency: int, credentials: SigningCredentials | None) -> tuple[S3Client, str]:
                connection = open_s3(self.deployment.endpoint_url, concurrency, credentials)
                client, key = await stack.enter_async_context(connection)
                apply_settings(client, self.deployment)
                return client, key

            own = await opened(job.concurrency, None)
            client, key = own if signing is None else await opened(1, signing)
            yield Clients(own[0], client, key, credentials_end(client, signing))

    async def _guarded(
        self, ledger: Ledger, lease: Lease, work: Execution
    ) -> tuple[Outcome | None, SiblingPayload | None, str | None]:
        """
        Work, then ask the guards; the lease is renewed first, which shows whether a person asked to stop.

        :return: How the work ended, the place to go on from, and why not to go on.
        """
        outcome = await work.outcome()
        if outcome is None or outcome.complete:
            return outcome, None, None
        at, to = outcome.checkpoint, await work.save(outcome)
        self.telemetry.event("checkpoint", count=at.count, pages=at.pages, checkpoint=to.checkpoint_key)
        lease.record = await ledger.renew(replace(lease.record, count=at.count), self.clock(), lease.next_part())
        guards = Guards(self.siblings(), self.deployment.max_hops, self.deployment.max_job_seconds)
        pages = at.pages - outcome.start.pages
        to, reason = await asyncio.to_thread(guards.check, self.context, to, pages, self.clock(), stop=lease.stop)
        # Once a chain, so that a later hand-over costs no call more.
        if (
            reason is None
            and outcome.start.hop == 0
            and await asyncio.to_thread(guards.cut_after_sixteen, self.context)
        ):
            self.telemetry.warning("recursive_loop", reason=CUT)
        return outcome, to, reason

    async def _hand_over(
        self, ledger: Ledger, lease: Lease, outcome: Outcome, to: SiblingPayload, reason: str | None
    ) -> Response:
        """Let go of the lease, then call the sibling; nothing raises once it was accepted."""
        record, expires_at = lease.record, outcome.checkpoint.expires_at
        warning = self._answers.warning(record, outcome)
        if reason is None:
            record = await ledger.hand_over(record, to, expires_at, lease.next_part(), self.clock())
            reason = self.siblings().hand_over(self.context, to.to_payload())
            if reason is not None and reason.startswith("sibling_unknown") and not isinstance(ledger, Unfenced):
                # The retry goes on, unless the sibling began after all.
                raise RetryableError(f"whether the sibling was accepted is not known: {reason}")
        if reason is not None:
            await ledger.park(record, to, reason, self.clock())
            return self._answers.parked(to, reason, outcome, warning)
        return self._answers.continued(to, outcome, warning)
