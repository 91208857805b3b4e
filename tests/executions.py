"""A hop's work on a run, without sosw, Lambda or a ledger: each hop gets only its payload and S3."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from processor.chain.execution import Execution
from processor.chain.resources import Clients
from processor.job import DeploymentSettings, Job, SiblingPayload
from processor.ledger import Claim, Lease, Unfenced
from processor.manifest import S3PieceStore, Sink, open_s3_sink
from processor.reporting import Telemetry
from tests.builders import OPEN
from tests.fakes import NOW, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from processor.chain import Outcome
    from processor.job import Counts


def first(job: Job, delivery: str = "delivery") -> SiblingPayload:
    """Begin a run."""
    return SiblingPayload.first(job, job.job_id(delivery), NOW)


class Heard(Telemetry):
    """Telemetry that remembers, and logs nothing."""

    def __init__(self) -> None:
        super().__init__("Test", "presign", "request")
        self.pages: list[int] = []
        self.errors: list[tuple[str, str]] = []
        self.events: list[str] = []

    def event(self, name: str, **_: object) -> None:
        self.events.append(name)

    warning = event

    def page(self, counts: Counts, listed: int) -> None:
        self.pages.append(listed)
        assert counts.pages

    def presign_error(self, key: str, reason: str) -> None:
        self.errors.append((key, reason))


@dataclass
class Hops:
    """
    The hops of one run on one client.

    :param part: Bytes of a part; ``None`` keeps S3's minimum.
    """

    client: Any
    secret_key: str = SECRET
    clock: Callable[[], datetime] = lambda: NOW
    deployment: DeploymentSettings = OPEN
    part: int | None = None
    heard: Heard = field(default_factory=Heard)

    async def hop(
        self, run: SiblingPayload, time_left: Callable[[], float]
    ) -> tuple[Outcome | None, SiblingPayload | None]:
        """Work as one invocation does; return the outcome and the next one's payload."""
        holder = uuid4().hex
        ledger = Unfenced()
        claim = Claim(run=run, resume=False, time=None, holder=holder, now=self.clock())
        record = (await ledger.claim(claim)).record
        execution = Execution(
            claimed=record,
            lease=Lease(ledger, record, self.clock),
            clients=Clients(self.client, self.client, self.secret_key, None),
            deployment=self.deployment,
            telemetry=self.heard,
            time_left=time_left,
            clock=self.clock,
            store=_store(self.client, run),
            load=lambda other: _store(self.client, other).load(),
            ledger=ledger,
            sink=self._sink(run, holder),
        )
        try:
            outcome = await execution.outcome()
            if outcome is None or outcome.complete:
                await execution.tidy()
                return outcome, None
            return outcome, await execution.save(outcome)
        except BaseException:
            self.failed = execution
            await execution.forget_begun()
            raise

    async def chain(self, job: Job, pages: Iterable[int]) -> tuple[Outcome, int]:
        """Run a job in hops of these numbers of pages; return the last outcome, and the number of hops."""
        at = first(job)
        for hops, count in enumerate(pages, 1):
            left = iter([900.0] * (count - 1))
            outcome, to = await self.hop(at, lambda left=left: next(left, 0.0))  # type: ignore[misc]
            if to is None:
                assert outcome is not None
                return outcome, hops
            at = SiblingPayload.from_payload(json.loads(json.dumps(to.to_payload())), self.deployment)
        raise AssertionError("the chain does not end")

    def _sink(self, run: SiblingPayload, holder: str) -> Sink:
        sink = open_s3_sink(self.client, run.job, run.job_id, holder, equal=self.deployment.equal_parts)
        return sink if self.part is None else with_parts(self.client, run, holder, self.part)


def with_parts(client: Any, run: SiblingPayload, holder: str, part: int) -> Sink:
    """Return a sink with short parts."""
    from processor.manifest import S3Composer  # noqa: PLC0415 - only tests shorten them

    pieces = S3PieceStore(client, run.job, run.job_id, holder)
    pieces.part = part
    return Sink(pieces, S3Composer(pieces, run.job, run.job_id, equal=False))


def _store(client: Any, run: SiblingPayload) -> Any:
    from processor.chain import CheckpointStore  # noqa: PLC0415 - as above

    return CheckpointStore(client, run)
