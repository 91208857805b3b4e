"""
One event, worked on: claimed in the ledger, run through the pipeline, then committed, handed over or parked.

Knows Lambda's context and the siblings, but not sosw's Processor: what it returns, the app answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from processor.answers import Answers, Ended, result_of
from processor.clients import SigningCredentials, credentials_end, deployed, open_dynamodb, open_s3
from processor.context import LambdaContext, time_left
from processor.errors import CheckpointLostError, RetryableError, TerminalError, UnderWayError
from processor.handover import Guards
from processor.lease import Lease
from processor.ledger import DynamoLedger, Ledger, Unfenced
from processor.listing import Lister
from processor.manifest import ManifestWriter
from processor.pipeline import Outcome, Pipeline, Writer
from processor.presign import open_signer
from processor.record import CHECKPOINT_LOST, Claim, Decision, Record, Verdict
from processor.store import CheckpointStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.checkpoint import Checkpoint, Upload
    from processor.continuation import Continuation
    from processor.deployment import Deployment
    from processor.handover import Siblings
    from processor.job import Job
    from processor.telemetry import Telemetry

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
    deployment: Deployment
    telemetry: Telemetry
    siblings: Callable[[], Siblings]
    clock: Callable[[], datetime]
    signing: Callable[[], SigningCredentials | None] = lambda: None
    writer: Callable[[S3Client, Job, str, Upload, int], Writer] = ManifestWriter
    store: Callable[[S3Client, Continuation], CheckpointStore] = CheckpointStore

    async def run(self, claim: Claim) -> Ended:
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
    def _answers(self) -> Answers:
        return Answers(self.telemetry, self.clock, self.deployment.event_bus)

    def _count_hop(self, place: Continuation) -> None:
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

    async def _answered(self, claim: Claim, decision: Decision) -> Ended:
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
            deployed(client, self.deployment)
            return await self._answers.finished(record, client)

    async def _work(self, ledger: Ledger, record: Record) -> Ended:
        run, job = record.place, record.place.job
        signing, lease = self.signing(), Lease(ledger, record, self.clock, lambda: record.next_part)
        async with (
            open_s3(self.deployment.endpoint_url, job.concurrency) as (client, secret_key),
            self._signing_client(client, secret_key, signing) as (signing_client, signing_key),
        ):
            deployed(client, self.deployment)
            store, writers = self.store(client, run), list[Writer]()

            async def before_commit(at: Checkpoint) -> None:
                record = replace(lease.record, count=at.count)
                lease.record = await ledger.commit(record, result_of(run, at), at.expires_at, self.clock())
                _told(writers[-1], lease.record)

            async def work() -> tuple[Outcome | None, Continuation | None, str | None]:
                start = _dying_first(await store.load(), record)
                writer = self.writer(client, job, run.job_id, start.upload, record.first_part)
                writers.append(writer)
                lease.next_part = lambda: writer.next_part
                if record.result is not None and await writer.is_committed():
                    await self._describe(writer, record)
                    return None, None, None
                signer = await open_signer(
                    signing_client, signing_key, bucket=job.bucket, expiry_seconds=job.expiry_seconds, clock=self.clock
                )
                if signer.fallback_reason is not None:
                    self.telemetry.warning("signer_fallback", reason=signer.fallback_reason)
                pipeline = Pipeline(
                    job=job,
                    lister=Lister(client, job, (job.manifest_prefix, self.deployment.manifest_prefix)),
                    signer=signer,
                    writer=writer,
                    observer=Counting(self.telemetry, lease),
                    time_left=lambda: 0.0 if lease.stop else time_left(self.context, self.deployment.shutdown_period),
                    queue_max=self.deployment.keys_ahead(job.concurrency),
                    clock=self.clock,
                    before_commit=before_commit,
                    credentials_end=credentials_end(signing_client, signing),
                )
                outcome = await _run(pipeline, start, record)
                if outcome is None or outcome.complete:
                    await self._describe(writer, lease.record)
                    return outcome, None, None
                to = run.after(outcome.checkpoint, await store.save(outcome.checkpoint))
                return outcome, *await self._guarded(ledger, lease, outcome, to)

            try:
                outcome, to, reason = await lease.keep(work())
            except TerminalError as error:
                if await self._failed(ledger, lease.record, error):
                    await asyncio.gather(*(writer.abort(forget=True) for writer in writers))
                raise
            if outcome is None or to is None:
                complete = await ledger.complete(lease.record, self.clock())
                return await self._answers.completed(complete, signing_client, outcome)
        return await self._hand_over(ledger, lease.record, outcome, to, reason, lease.next_part())

    async def _describe(self, writer: Writer, record: Record) -> None:
        """Let the manifest say what is in it, where its upload began before that was known."""
        _told(writer, record)
        refused = await writer.describe() if isinstance(writer, ManifestWriter) else None
        if refused is not None:
            self.telemetry.warning("not_tagged", error=refused)

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
    async def _signing_client(
        self, client: S3Client, secret_key: str, signing: SigningCredentials | None
    ) -> AsyncIterator[tuple[S3Client, str]]:
        """Yield the client that signs: the function's own, unless other credentials are to."""
        if signing is None:
            yield client, secret_key
            return
        async with open_s3(self.deployment.endpoint_url, 1, signing) as other:
            deployed(other[0], self.deployment)
            yield other

    async def _guarded(
        self, ledger: Ledger, lease: Lease, outcome: Outcome, to: Continuation
    ) -> tuple[Continuation, str | None]:
        """Ask the guards; the lease is renewed first, which shows whether a person asked to stop."""
        at = outcome.checkpoint
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
        return to, reason

    async def _hand_over(
        self,
        ledger: Ledger,
        record: Record,
        outcome: Outcome,
        to: Continuation,
        reason: str | None,
        next_part: int,
    ) -> Ended:
        """Let go of the lease, then call the sibling; nothing raises once it was accepted."""
        at, warning = outcome.checkpoint, self._answers.warning(record, outcome)
        if reason is None:
            record = await ledger.hand_over(record, to, at.expires_at, next_part, self.clock())
            reason = self.siblings().hand_over(self.context, to.to_payload())
            if reason is not None and reason.startswith("sibling_unknown") and not isinstance(ledger, Unfenced):
                # The retry goes on, unless the sibling began after all.
                raise RetryableError(f"whether the sibling was accepted is not known: {reason}")
        if reason is not None:
            await ledger.park(record, to, reason, self.clock())
            return self._answers.parked(to, reason, outcome, warning)
        return self._answers.continued(to, outcome, warning)


class Counting:
    """
    Hears of the pages, and lets the lease write down how many keys they brought.

    :param telemetry: Hears of them too.
    """

    def __init__(self, telemetry: Telemetry, lease: Lease) -> None:
        self._telemetry, self._lease = telemetry, lease

    def page(self, checkpoint: Checkpoint, listed: int) -> None:
        """Hear that a page is written."""
        self._lease.count = checkpoint.count
        self._telemetry.page(checkpoint, listed)

    def presign_error(self, key: str, reason: str) -> None:
        """Hear that one key could not be signed."""
        self._telemetry.presign_error(key, reason)

    def listing_fallback(self, reason: str) -> None:
        """Hear that read-ahead ends."""
        self._telemetry.listing_fallback(reason)


def _told(writer: Writer, record: Record) -> None:
    """Tell the writer of an S3 object what it is to say of it."""
    if isinstance(writer, ManifestWriter) and record.result is not None:
        writer.facts = {"count": str(record.result["count"]), "expires-at": str(record.result["expires_at"])}


def _dying_first(start: Checkpoint, record: Record) -> Checkpoint:
    """Return the checkpoint with the earliest death in it that the ledger knows: an earlier commit may still appear."""
    known = [at for at in (start.expires_at, record.expires_at) if at is not None]
    return replace(start, expires_at=min(known, default=None))


async def _run(pipeline: Pipeline, start: Checkpoint, record: Record) -> Outcome | None:
    """
    Run the pipeline.

    :return: ``None`` when the upload is gone into the manifest: the commit of a holder before was still on its way.
    """
    try:
        return await pipeline.run(start)
    except CheckpointLostError:
        if record.result is None or not await pipeline.writer.is_committed():
            raise
        return None
