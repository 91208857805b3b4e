"""How an event ends: the contract's answer, and what goes to the log, the metrics and the event bus."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from processor.chain.answer import Response, Status
from processor.chain.result import answer_of
from processor.chain.shortfall import EMPTY, FEW, named_in
from processor.job import MAX_EXPIRY_SECONDS
from processor.ledger import Verdict
from processor.reporting import Expiry, announce, still_needed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.chain.outcome import Outcome
    from processor.job import SiblingPayload
    from processor.ledger import Record
    from processor.reporting import Telemetry


@dataclass(frozen=True, slots=True)
class Responses:
    """
    Makes the answers, each with its log event and its metric.

    :param clock:     UTC.
    :param event_bus: EventBridge bus for the events of finished manifests.
    :param open_events: Opens the bus's client.
    """

    telemetry: Telemetry
    clock: Callable[[], datetime]
    event_bus: str | None
    open_events: Callable[[], AbstractAsyncContextManager[Any]]

    def in_progress(self, record: Record, verdict: Verdict, time: datetime | None = None) -> Response:
        """
        Answer another submitter of a job that is under way, or an event that the chain is past.

        :param time: The time of a submission that comes only once, where it states one, as a schedule does.
        """
        self.telemetry.event("in_progress", verdict=verdict.value)
        started = record.place.started
        if time is not None and time > started:  # it is not submitted again
            self.telemetry.warning("run_skipped", time=time.isoformat(), running_since=started.isoformat())
        self.telemetry.count(InProgress=1)
        body = {"status": Status.IN_PROGRESS, "job_id": record.job_id}
        return Response(Status.IN_PROGRESS, body, done=verdict is Verdict.DUPLICATE)

    def parked(
        self, to: SiblingPayload, reason: str, outcome: Outcome | None = None, warning: Mapping[str, str] | None = None
    ) -> Response:
        """
        Answer with the payload that continues from here: a stopped chain is never a lost chain.

        :param to:      Where the chain stopped.
        :param outcome: The hop's own work; ``None`` when it had stopped before.
        :param warning: Further fields of the answer.
        """
        resume = to.to_resume()
        count = None if outcome is None else outcome.checkpoint.counts.count
        if to.share is None:
            self.telemetry.warning("parked", reason=reason, count=count, resume=resume)
            self.telemetry.parked(reason)
        else:  # the job parks once all of its chains have stopped
            self.telemetry.event("range_parked", reason=reason, count=count)
        body = {"status": Status.PARKED, "job_id": to.job_id, "reason": reason, "resume": resume}
        return Response(Status.PARKED, {**body, **(warning or {})}, outcome=outcome)

    def continued(self, to: SiblingPayload, outcome: Outcome, warning: Mapping[str, str]) -> Response:
        """Answer that a sibling continues."""
        self.telemetry.event("handover", count=outcome.checkpoint.counts.count, next_hop=to.hop)
        self.telemetry.count(SiblingsSpawned=1)
        return _continued(to, outcome, warning)

    def fanned_out(self, to: SiblingPayload, outcome: Outcome, ranges: int, execution: str) -> Response:
        """Answer that several chains continue."""
        count, chains = outcome.checkpoint.counts.count, to.job.chains
        self.telemetry.event("fan_out", count=count, chains=chains, ranges=ranges, execution=execution)
        return _continued(to, outcome, {"chains": chains, "execution": execution})

    def range_done(self, to: SiblingPayload, outcome: Outcome) -> Response:
        """Answer that a chain is at the end of its range; the job continues without it."""
        self.telemetry.event("range_done", count=outcome.checkpoint.counts.count)
        return _continued(to, outcome, {})

    async def completed(self, record: Record, client: S3Client, outcome: Outcome | None) -> Response:
        """Answer with the manifest that is there now, and report it."""
        late = self._expiry(record, record.expires_at).at_end(self.clock())
        await self.report(record, late)
        body = _warned(answer_of(record.result or {}), late)
        return Response(Status.COMPLETE, body, outcome=outcome, urls=await self._urls(client, record))

    async def finished(self, record: Record, client: S3Client) -> Response:
        """Answer with a manifest that was there before, under a new URL."""
        return Response(Status.COMPLETE, answer_of(record.result or {}), urls=await self._urls(client, record))

    async def report(self, record: Record, late: Mapping[str, str] | None = None, *, again: bool = False) -> None:
        """
        Report that the manifest is there: in the log, as a metric and on the event bus.

        :param late:  A warning that was not known when the manifest was put together.
        :param again: The same manifest was reported before: only the log gets it again.
        """
        result, warned = record.result or {}, _warned(record.result or {}, late)
        facts = {name: value for name, value in warned.items() if name not in {"status", "job_id"}}
        self.telemetry.event("complete", **facts, manifest_bucket=record.place.job.manifest_bucket)
        warning = result.get("warning", "")
        if warning:
            self.telemetry.warning("shortfall", reason=warning)
        if again:
            return
        self.telemetry.count(Completed=1, ArchivedObjects=result.get("archived", 0))
        self.telemetry.skipped(result.get("skipped", {}))
        self.telemetry.count(EmptyManifests=len(named_in(warning, EMPTY, FEW)))
        if self.event_bus is not None:
            refused = await announce(self.open_events, self.event_bus, record.place, warned)
            if refused is not None:
                self.telemetry.warning("not_announced", event_bus=self.event_bus, error=refused)

    def warning(self, record: Record, outcome: Outcome) -> dict[str, str]:
        """Warn at a checkpoint that URLs will be dead before the last is written; return more fields of the answer."""
        at, before = outcome.checkpoint.counts, outcome.start.counts.count
        needed = still_needed(outcome.seconds, at.count - before, at.count, record.last_count)
        return self._expiry(record, at.expires_at).at_checkpoint(self.clock(), needed)

    def _expiry(self, record: Record, at: datetime | None) -> Expiry:
        return Expiry(self.telemetry, at, record.place.job.expiry_seconds)

    async def _urls(self, client: S3Client, record: Record) -> dict[str, str]:
        """Sign the URLs of the manifest itself, and of the page beside it, to live as long as the URLs in them."""
        job, result = record.place.job, record.result or {}
        left = (record.expires_at - self.clock()) if record.expires_at else timedelta(seconds=job.expiry_seconds)
        keys = {"manifest_url": job.manifest_key_of(record.job_id)}
        keys |= {"page_url": job.page_key(record.job_id)} if "page_key" in result else {}
        return {
            name: await client.generate_presigned_url(
                "get_object",
                Params={"Bucket": job.manifest_bucket, "Key": key},
                ExpiresIn=min(MAX_EXPIRY_SECONDS, max(1, int(left.total_seconds()))),
            )
            for name, key in keys.items()
        }


def _continued(to: SiblingPayload, outcome: Outcome, more: Mapping[str, Any]) -> Response:
    """Answer that the job continues, with further fields."""
    body = {"status": Status.CONTINUED, "job_id": to.job_id, "hop": to.hop, "count": outcome.checkpoint.counts.count}
    return Response(Status.CONTINUED, {**body, **more}, outcome=outcome)


def _warned(facts: dict[str, Any], late: Mapping[str, str] | None) -> dict[str, Any]:
    """Return facts with a further warning before their own."""
    warnings = [fields["warning"] for fields in (late or {}, facts) if "warning" in fields]
    return facts | ({"warning": "; ".join(warnings)} if warnings else {})
