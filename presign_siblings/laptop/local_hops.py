"""The function's own hops on this machine, one after the other in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from presign_siblings.laptop.file_sink import open_file_sink
from presign_siblings.laptop.lambda_stand_ins import LocalSiblings, ProgressTelemetry, TimeSlice
from presign_siblings.laptop.saved_checkpoint import FileCheckpointStore, ResumableS3CheckpointStore
from processor.chain import Hop, Status
from processor.job import SiblingPayload
from processor.ledger import Claim
from processor.manifest import open_s3_sink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from types_aiobotocore_s3 import S3Client

    from presign_siblings.laptop.local_fan_out import LocalFanOut
    from presign_siblings.laptop.progress import Progress
    from presign_siblings.laptop.saved_checkpoint import CheckpointFile
    from processor.aws import Connections
    from processor.chain import CheckpointStore, Response
    from processor.job import DeploymentSettings, Job
    from processor.manifest import Patience, Sink
    from processor.signing import Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalHops:
    """
    Hops of a run, or of one of its ranges.

    :param connections:  Opens the pipeline's clients.
    :param saved:        Where a place saves its checkpoint.
    :param file:         The manifest's file; ``None`` writes the manifest to S3, to the place that the job names.
    :param on_progress:  Called with the progress.
    :param stopping:     Whether the operator asked to stop; asked after each page.
    :param hop_seconds:  How long a hop works.
    :param distribution: CloudFront's, for a job whose URLs it signs.
    :param fan_out:      Gives the ranges of a run to several processes.
    """

    deployment: DeploymentSettings
    connections: Connections
    saved: Callable[[SiblingPayload], CheckpointFile]
    file: Path | None
    on_progress: Callable[[Progress], None]
    stopping: Callable[[], bool]
    hop_seconds: float
    distribution: Callable[[Job], Distribution | None]
    fan_out: LocalFanOut | None = None
    told: set[str] = field(default_factory=set, init=False)  # warnings of its hops

    async def run(self, place: SiblingPayload) -> Response:
        """
        Work until the manifest or the range is done, or the operator stops the run.

        :raises PresignSiblingsError: The run failed; unless the failure is final, the saved checkpoint continues it.
        """
        local, resume = LocalSiblings(self.stopping), place.hop > 0
        while True:
            claim = Claim(run=place, resume=resume, time=None, holder=uuid4().hex, now=datetime.now(UTC))
            ended = await self._hop(local).run(claim)
            # After the ranges were given out, and all of them are done, the run continues where they were given out.
            given, local.payload = local.payload, None
            if given is None and self.fan_out is not None:
                given = self.fan_out.take()
            if ended.status is not Status.CONTINUED or given is None:
                return ended
            place, resume = SiblingPayload.from_payload(given, self.deployment), False

    def _hop(self, local: LocalSiblings) -> Hop:
        return Hop(
            context=TimeSlice(self.hop_seconds, self.stopping),
            deployment=self.deployment,
            telemetry=ProgressTelemetry(self.on_progress, self.told),
            siblings=lambda: local,
            clock=lambda: datetime.now(UTC),
            connections=self.connections,
            distribution=self.distribution,
            sink=self._sink,
            store=self._store,
            fan_out=self.fan_out,
        )

    def _sink(
        self, client: S3Client, job: Job, job_id: str, holder: str, *, equal: bool, patience: Patience | None = None
    ) -> Sink:
        if self.file is None:
            return open_s3_sink(client, job, job_id, holder, equal=equal, patience=patience)
        return open_file_sink(self.file, holder)

    def _store(self, client: S3Client, run: SiblingPayload) -> CheckpointStore:
        kind = ResumableS3CheckpointStore if self.file is None else FileCheckpointStore
        return kind(client, run, self.saved(run))
