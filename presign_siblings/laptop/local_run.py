"""
A job on this machine, without Lambda: the function's own hops, one after the other in this process.

Each hop works for a while, saves its checkpoint, and hands over to the next hop of the same process. So whatever ends
the process, the run continues from the end of the last hop. Where several processes share the run, each of them works
so on one range of it after the other, and the last hop puts together what they have written.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from presign_siblings.defaults import HOP_SECONDS
from presign_siblings.errors import UnfinishedError, WrongUseError
from presign_siblings.laptop.clock_check import ClockCheck
from presign_siblings.laptop.file_sink import forget, is_finished
from presign_siblings.laptop.kept_clients import KeptClients
from presign_siblings.laptop.local_fan_out import LocalFanOut
from presign_siblings.laptop.local_hops import LocalHops
from presign_siblings.laptop.processes import Processes
from presign_siblings.laptop.progress import Progress
from presign_siblings.laptop.range_files import RangeFiles
from presign_siblings.laptop.range_worker import Settings
from presign_siblings.manifests.open_files import allow
from processor.chain import Status
from processor.errors import InvalidEventError, TerminalError
from processor.job import FIELDS, DeploymentSettings, Job, SiblingPayload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from presign_siblings.laptop.saved_checkpoint import CheckpointFile
    from processor.aws import Connections
    from processor.chain import Response
    from processor.signing import Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """
    A run on this machine.

    :param deployment:   From ``deployment``.
    :param connections:  Opens the pipeline's clients.
    :param saved:        Where the run saves its checkpoint.
    :param file:         The manifest's file; ``None`` writes the manifest to S3, to the place that the job names.
    :param on_progress:  Called with the progress.
    :param stopping:     Whether the operator asked to stop; asked after each page.
    :param distribution: CloudFront's, for a job whose URLs it signs.
    :param hop_seconds:  How long a hop works; no more than this is lost when the process is killed.
    :param keeps:        Whether an incomplete run is kept, to be continued: not where its source is a pipe.
    """

    deployment: DeploymentSettings
    connections: Connections
    saved: CheckpointFile
    file: Path | None
    on_progress: Callable[[Progress], None]
    stopping: Callable[[], bool]
    hop_seconds: float = HOP_SECONDS
    keeps: bool = True
    distribution: Callable[[Job], Distribution | None] = lambda _: None

    def begin(self, event: Mapping[str, Any], *, resume: bool, processes: int = 1) -> SiblingPayload:
        """
        Return the place to start from: with ``resume``, the saved one where there is one.

        :param processes: How many processes are to share a new run.
        :raises InvalidEventError: A field breaks its rule.
        :raises WrongUseError: The manifest's file exists already, or the saved checkpoint belongs to another job.
        :raises UnfinishedError: A run was stopped here, and ``resume`` is false.
        """
        if self.file is not None and is_finished(self.file):  # the process died after the manifest appeared
            forget(self.file)
            self.saved.forget()
        place = self.place(event, resume=resume, processes=processes)
        if not place.resume:
            self._files.forget()
        allow(place.job.concurrency)  # processes that share the run inherit the limit
        return replace(place, resume=False)

    def place(self, event: Mapping[str, Any], *, resume: bool, processes: int = 1) -> SiblingPayload:
        """Return the place to start from as ``begin`` does, and refuse what it refuses; nothing is changed."""
        if self.file is not None and os.path.lexists(self.file):  # a dangling symbolic link counts too
            fault = f"{self.file} exists already, and a manifest is never replaced"
            raise WrongUseError(f"{fault}: name another, or remove it")
        now, found = datetime.now(UTC), self.saved.read()
        if found is None:
            job = self._job(event, now).divided(processes)
            return SiblingPayload.first(job, job.job_id(uuid4().hex), now)
        if not resume:
            raise UnfinishedError(
                f"a run was stopped here: resume it (--resume, resume=True), or remove {self.saved.path}"
            )
        try:
            place = SiblingPayload.from_payload(found[0], self.deployment)
        except InvalidEventError as error:
            raise WrongUseError(f"{self.saved.path}: {error}; remove it, and the run begins again") from error
        # Dates in the prefix are those of the day on which the run began.
        self._check_same(event, self._job(event, place.job.time), place.job)
        return place

    def _check_same(self, event: Mapping[str, Any], asked: Job, saved: Job) -> None:
        """
        Refuse what contradicts the checkpoint: a field that was given, or one that makes the manifest another.

        :raises WrongUseError: The message names the field, its value and the checkpoint's.
        """
        for name, field in FIELDS.items():
            wanted, theirs = getattr(asked, name), getattr(saved, name)
            if wanted == theirs or not (name in event or field.identity):
                continue
            given = f"{name} {_shown(wanted)}" if name in event else f"{name} (not given, so {_shown(wanted)})"
            raise WrongUseError(
                f"{self.saved.path} is the checkpoint of another job: {given} contradicts its {_shown(theirs)}; give "
                "the same options again, or remove it"
            )

    def _job(self, event: Mapping[str, Any], now: datetime) -> Job:
        return Job.from_event(event, config={}, environment={}, deployment=self.deployment, now=now)

    def processes(self, place: SiblingPayload, number: int | None = None) -> Processes | None:
        """
        Start the processes that share the run, if several do.

        :param place:  The place from which the run begins.
        :param number: How many processes; ``None`` for as many as the run began with.
        """
        if place.job.chains == 1:
            return None
        settings = Settings(
            self.deployment, self.saved, self.file, place.job.concurrency, self.hop_seconds, self.distribution
        )
        return Processes(number or place.job.chains, settings, self.on_progress, self.stopping)

    async def run(self, place: SiblingPayload, processes: Processes | None = None) -> Response:
        """
        Work until the manifest exists, or the operator stops the run.

        :raises PresignSiblingsError: The run failed; unless the failure is final, ``resume`` continues the run.
        """
        check = ClockCheck(lambda text: self.on_progress(Progress(warning=text)))
        files, clients = self._files, KeptClients(lambda: self.connections, check)
        hops = LocalHops(
            deployment=self.deployment,
            connections=clients.connections,
            saved=lambda of: self.saved if of.share is None else files.of(of.share.number),
            file=self.file,
            on_progress=self.on_progress,
            stopping=self.stopping,
            hop_seconds=self.hop_seconds,
            distribution=self.distribution,
            fan_out=None if processes is None else LocalFanOut(processes, files),
        )
        is_over = not self.keeps
        try:
            ended = await hops.run(place)
            is_over = is_over or ended.status is Status.COMPLETE
        except TerminalError as error:
            is_over = is_over or not error.is_resumable
            raise
        finally:
            await clients.close()
            if is_over:
                self._forget()
        return ended

    @property
    def _files(self) -> RangeFiles:
        return RangeFiles(self.saved, self.deployment)

    def _forget(self) -> None:
        self.saved.forget()
        self._files.forget()
        if self.file is not None:
            forget(self.file)


def _shown(value: object) -> str:
    """Return a field's value for a reader."""
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    return ", ".join(map(repr, values)) or "none"
