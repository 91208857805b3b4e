"""The work of one hop, under its lease: from the checkpoint before it to the manifest, or to the next checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from processor.chain.pipeline import Outcome, Pipeline, Writer
from processor.chain.responses import result_of
from processor.errors import CheckpointLostError
from processor.listing import Lister
from processor.manifest import ManifestWriter
from processor.signing import open_signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.chain.checkpoint_store import CheckpointStore
    from processor.chain.resources import Clients
    from processor.job import Checkpoint, DeploymentSettings, Job, SiblingPayload, Upload
    from processor.ledger import Lease, Record
    from processor.reporting import Telemetry


@dataclass(slots=True, kw_only=True)
class Execution:
    """
    The work of one hop on a run.

    :param claimed:   The record as it was claimed.
    :param time_left: Seconds until the hop must stop.
    :param clock:     UTC.
    :param store:     The run's checkpoints.
    :param open_writer: Opens the manifest: client, job, run, upload so far, first part number.
    """

    claimed: Record
    lease: Lease
    clients: Clients
    deployment: DeploymentSettings
    telemetry: Telemetry
    time_left: Callable[[], float]
    clock: Callable[[], datetime]
    store: CheckpointStore
    open_writer: Callable[[S3Client, Job, str, Upload, int], Writer]
    _writer: Writer | None = None

    @property
    def _run(self) -> SiblingPayload:
        return self.claimed.place

    async def outcome(self) -> Outcome | None:
        """
        List, sign and write, until the listing or the time ends.

        :return: ``None`` when the manifest was there already: a holder before had committed it.
        """
        start = _dying_first(await self.store.load(), self.claimed)
        writer = self.open_writer(
            self.clients.s3, self._run.job, self._run.job_id, start.upload, self.claimed.first_part
        )
        self._writer = writer
        outcome = None
        if self.claimed.result is None or not await writer.is_committed():
            outcome = await self._piped(await self._pipeline(writer), start)
        if outcome is None or outcome.complete:
            await self._describe(writer)
        return outcome

    async def save(self, outcome: Outcome) -> SiblingPayload:
        """Write the checkpoint, and return the place that goes on from it."""
        self._progress(outcome.checkpoint)
        return self._run.after(outcome.checkpoint, await self.store.save(outcome.checkpoint))

    def _progress(self, at: Checkpoint) -> None:
        if self._writer is not None:
            self.lease.progress(at.count, self._writer.next_part)

    async def abort(self) -> None:
        """Give up the upload: the run is over."""
        if self._writer is not None:
            await self._writer.abort(forget=True)

    async def _pipeline(self, writer: Writer) -> Pipeline:
        job, clients = self._run.job, self.clients
        signer = await open_signer(
            clients.signing,
            clients.signing_key,
            bucket=job.bucket,
            expiry_seconds=job.expiry_seconds,
            clock=self.clock,
            headers=job.response_headers,
        )
        if signer.fallback_reason is not None:
            self.telemetry.warning("signer_fallback", reason=signer.fallback_reason)
        return Pipeline(
            job=job,
            lister=Lister(clients.s3, job, (job.manifest_prefix, self.deployment.manifest_prefix)),
            signer=signer,
            writer=writer,
            observer=Counting(self.telemetry, self.lease, writer),
            time_left=lambda: 0.0 if self.lease.stop else self.time_left(),
            queue_max=self.deployment.keys_ahead(job.concurrency),
            clock=self.clock,
            before_commit=self._before_commit,
            credentials_end=clients.signing_end,
        )

    async def _piped(self, pipeline: Pipeline, start: Checkpoint) -> Outcome | None:
        """
        Run the pipeline.

        :return: ``None`` when the upload is gone into the manifest: the commit of a holder before was still on its way.
        """
        try:
            return await pipeline.run(start)
        except CheckpointLostError:
            if self.claimed.result is None or not await pipeline.writer.is_committed():
                raise
            return None

    async def _before_commit(self, at: Checkpoint) -> None:
        """Write the result down before the manifest appears."""
        self._progress(at)
        await self.lease.commit(result_of(self._run, at), at.expires_at)
        self._tell()

    async def _describe(self, writer: Writer) -> None:
        """Let the manifest say what is in it, where its upload began before that was known."""
        self._tell()
        refused = await writer.describe() if isinstance(writer, ManifestWriter) else None
        if refused is not None:
            self.telemetry.warning("not_tagged", error=refused)

    def _tell(self) -> None:
        """Tell the writer of an S3 object what it is to say of it."""
        result = self.lease.record.result
        if isinstance(self._writer, ManifestWriter) and result is not None:
            self._writer.facts = {"count": str(result["count"]), "expires-at": str(result["expires_at"])}


class Counting:
    """
    Hears of the pages, and lets the lease write down how far the work has come.

    :param telemetry: Hears of the pages too.
    :param writer:    Says which part numbers are used.
    """

    def __init__(self, telemetry: Telemetry, lease: Lease, writer: Writer) -> None:
        self._telemetry, self._lease, self._writer = telemetry, lease, writer

    def page(self, checkpoint: Checkpoint, listed: int) -> None:
        """Hear that a page is written."""
        self._lease.progress(checkpoint.count, self._writer.next_part)
        self._telemetry.page(checkpoint, listed)

    def presign_error(self, key: str, reason: str) -> None:
        """Hear that one key could not be signed."""
        self._telemetry.presign_error(key, reason)

    def listing_fallback(self, reason: str) -> None:
        """Hear that read-ahead ends."""
        self._telemetry.listing_fallback(reason)


def _dying_first(start: Checkpoint, record: Record) -> Checkpoint:
    """Return the checkpoint with the earliest death in it that the ledger knows: an earlier commit may still appear."""
    known = [at for at in (start.expires_at, record.expires_at) if at is not None]
    return replace(start, expires_at=min(known, default=None))
