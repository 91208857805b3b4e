"""The work of one hop, under its lease: from the checkpoint before it to the manifest, or to the next checkpoint."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from processor.chain.outcome import Outcome
from processor.chain.page_object import PageObject
from processor.chain.pipeline import Pipeline
from processor.chain.said import KEPT, about, corrected, edition_of, result_of
from processor.chain.shortfall import BEYOND_SESSION, beyond_session
from processor.chain.signer import open_job_signer
from processor.chain.trial import tried
from processor.errors import ChainFailedError, CheckpointLostError, TerminalError
from processor.instant import ISO
from processor.job import CommitState
from processor.listing import WORTH_PAGES, KeyMap, KeyMapStore, Lister, open_listing
from processor.manifest import RangeWriters, StableObject

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from processor.chain.chains import FanOut
    from processor.chain.checkpoint_store import CheckpointStore
    from processor.chain.pipeline import Listed, Listing
    from processor.chain.resources import Clients
    from processor.job import Checkpoint, Counts, DeploymentSettings, KeyRange, SiblingPayload
    from processor.ledger import Lease, Ledger, Record
    from processor.manifest import Sink, Whole
    from processor.reporting import Telemetry
    from processor.signing import Distribution, Signer

TIDYING_SECONDS = 2.0  # at least, when no time is left


@dataclass(slots=True, kw_only=True)
class Execution:
    """
    The work of one hop on a run.

    :param claimed:   The record as it was claimed.
    :param time_left: Seconds until the hop must stop.
    :param clock:     UTC.
    :param store:     The run's checkpoints.
    :param sink:      Where pieces and manifest are written.
    :param distribution: CloudFront's, for a job whose URLs it signs.
    :param fan_out:   Divides the job between several chains; ``None`` where this one does it all.
    :param ledger:    Tells how far these are.
    :param load:      Reads their checkpoints.
    """

    claimed: Record
    lease: Lease
    clients: Clients
    deployment: DeploymentSettings
    telemetry: Telemetry
    time_left: Callable[[], float]
    clock: Callable[[], datetime]
    store: CheckpointStore
    sink: Sink
    distribution: Distribution | None = None
    fan_out: FanOut | None = None
    ledger: Ledger | None = None
    load: Callable[[SiblingPayload], Awaitable[Checkpoint]] | None = None
    _start: Checkpoint | None = None
    _writers: RangeWriters | None = None
    _signer: Signer | None = None
    _waiting: str | None = None

    @property
    def _run(self) -> SiblingPayload:
        return self.claimed.place

    async def outcome(self) -> Outcome | None:
        """
        List, sign and write, until the listing or the time ends; then put the manifest together.

        :return: ``None`` when the manifest was there already: a holder before had committed it.
        """
        if await self._is_committed():
            return None
        start = self._start = await self.store.load()
        if self.fan_out is not None:
            start = self._start = await self._divided(self.fan_out, start)
            if not start.is_listed:
                return self._waits(start)
        writers = self._writers = RangeWriters(self.sink.pieces, self._run.job.compression, start.ranges)
        try:
            return await self._worked(start, writers)
        except BaseException:
            await self._drop(writers, start)
            raise

    async def _divided(self, fan_out: FanOut, start: Checkpoint) -> Checkpoint:
        """
        Divide a job that begins between chains, or take up what they have written.

        :raises ChainFailedError: One of them has failed for good.
        """
        if self._run.checkpoint_key is None:
            known = None if self.deployment.manifest_is_file else await self._key_maps.load()
            found = await fan_out.divided(start, self._lister(), known, self._seconds)
            if known is None and self._seconds() <= 0:
                self.telemetry.warning("divided_unseen", ranges=len(found.ranges))
            return found
        if self.ledger is None or self.load is None:
            return start
        found = await fan_out.gathered(start, self._run, self.ledger, self.load, self._lister())
        start, self._waiting, failed = found
        if failed is not None:
            self._start = start  # names all pieces of all chains, which are to go
            raise ChainFailedError(f"a chain of job {self._run.job_id} has failed: {failed}")
        return start

    def _waits(self, start: Checkpoint) -> Outcome:
        """Return how a hop ends whose job waits for chains."""
        at = replace(start, hop=self._run.hop + 1)
        return Outcome(complete=False, start=start, checkpoint=at, size=start.size, divided=True, waiting=self._waiting)

    def _lister(self) -> Lister:
        job = self._run.job
        places, allowed = job.manifest_places(self.deployment), self.deployment.allowed_prefixes
        return Lister(self.clients.s3, job, places, self._run.last_started, allowed)

    async def _is_committed(self) -> bool:
        """Look for the manifest that an earlier holder was about to commit; what it says of itself is the result."""
        result = self.claimed.result
        said = None if result is None else await self.sink.composer.found()
        if result is None or said is None:
            return False
        await self._correct(result, said)
        await self._keep_page(result)
        await self._publish()
        with suppress(CheckpointLostError):
            self._start = await self.store.load()  # names the pieces that are to go
        return True

    async def save(self, outcome: Outcome) -> SiblingPayload:
        """Write the checkpoint, and return the place that continues from it."""
        self.lease.progress(outcome.checkpoint.counts.count)
        return self._run.after(outcome.checkpoint, await self.store.save(outcome.checkpoint))

    async def abort(self) -> None:
        """Drop everything that is stored: the run is over."""
        if self._start is not None and self._start.commit is not None:
            await self.sink.composer.forget(self._start.commit)
        await self.tidy()

    async def tidy(self) -> None:
        """Delete the pieces: the manifest is there, or never will be. What time forbids, the lifecycle rule does."""
        keys = {*(self._start.pieces if self._start else ()), *(self._writers.keys if self._writers else ())}
        await self._discard(keys, self.time_left())

    async def _drop(self, writers: RangeWriters, start: Checkpoint) -> None:
        """Drop what this hop has stored: it has failed, and no checkpoint names it."""
        await writers.abort()
        await self._discard(set(writers.keys) - set(start.pieces), 0)

    async def _discard(self, keys: Collection[str], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(TIDYING_SECONDS, seconds)):
                await self.sink.pieces.discard(keys)

    async def _worked(self, start: Checkpoint, writers: RangeWriters) -> Outcome:
        began, lister = self.clock(), self._lister()
        listed = await (await self._pipeline(lister, writers)).run(start)
        at, complete, size = replace(start, counts=listed.counts), False, 0
        if listed.ended and self._run.share is None:
            whole = await writers.whole(listed.partition)
            composed = await self._commit(at, whole)
            complete, size = not isinstance(composed, CommitState), whole.encoded.size
            if complete:
                await self._publish()
                await self._keep_map(listed)
            at = replace(at, commit=composed if isinstance(composed, CommitState) else None)
        if not complete:
            ranges, spent = await writers.suspend(listed.partition), (*start.spent, *writers.spent)
            key_map = None if listed.key_map is None else listed.key_map.to_json()
            at = replace(at, hop=start.hop + 1, ranges=ranges, spent=spent, key_map=key_map)
        return Outcome(
            complete=complete,
            start=start,
            checkpoint=at,
            size=size if complete else at.size,
            seconds=(self.clock() - began).total_seconds(),
            wasted=lister.requests.count - (at.counts.pages - start.counts.pages),
        )

    async def _pipeline(self, lister: Lister, writers: RangeWriters) -> Pipeline:
        job, clients, observer = self._run.job, self.clients, Counting(self.telemetry, self.lease)
        signer = self._signer = await open_job_signer(
            job, clients.signing, clients.signing_key, self.clock, self.distribution
        )
        if signer.fallback_reason is not None:
            self.telemetry.warning("signer_fallback", reason=signer.fallback_reason)

        def listing(ranges: Sequence[KeyRange]) -> Listing:
            queue_max, learnt = self.deployment.keys_ahead(job.concurrency), self._learnt
            known = None if self.deployment.manifest_is_file else self._key_maps.load
            return open_listing(lister, ranges, queue_max, observer.listing_fallback, known, learnt)

        return Pipeline(
            listing=listing,
            signer=signer,
            writers=writers,
            observer=observer,
            time_left=self._seconds,
            clock=self.clock,
            expiry_seconds=job.expiry_seconds,
            fields=job.fields,
            pins=job.version_ids,
            credentials_end=clients.signing_end if self.distribution is None else None,
        )

    @property
    def _key_maps(self) -> KeyMapStore:
        return KeyMapStore(self.clients.s3, self._run.job.manifest_bucket, self._run.job.key_map_key)

    @property
    def _learnt(self) -> KeyMap | None:
        """The map that earlier hops of this run have made."""
        written = None if self._start is None else self._start.key_map
        return None if written is None else KeyMap.from_json(written)

    async def _keep_map(self, listed: Listed) -> None:
        """Leave the map of the keys for the next run of this prefix, where that is worth a request."""
        worth = listed.counts.pages > WORTH_PAGES and self._run.job.is_whole and not self.deployment.manifest_is_file
        if listed.key_map is not None and worth:
            refused = await self._key_maps.save(listed.key_map)
            if refused is not None:
                self.telemetry.warning("key_map_not_kept", error=refused)

    def _seconds(self) -> float:
        """Return the seconds left: none once an operator asked to stop."""
        return 0.0 if self.lease.stop else self.time_left()

    async def _commit(self, at: Checkpoint, whole: Whole) -> CommitState | Mapping[str, str]:
        """Write the result down, then let the manifest appear; it says the same of itself."""
        signer, trial = self._signer, None
        if self._run.job.can_be_tried(self.clock()) and signer is not None:
            listed = self._run.job.keys_place is None
            trial = await tried(self.clients.signing, signer, at.counts, listed=listed)
        result = result_of(self._run, at.counts, whole.encoded, self.claimed.last_count, trial)
        result["hops"] += self.claimed.chain_hops
        beyond = beyond_session(
            self._run.job.expiry_seconds, of_role=self.clients.of_role and self.distribution is None
        )
        if beyond:
            result["warning"] = "; ".join([*([result["warning"]] if "warning" in result else []), BEYOND_SESSION])
        self.lease.progress(at.counts.count)
        # Until then the record answers whoever asks for the same job.
        ends = at.counts.expires_at and at.counts.expires_at - beyond
        await self.lease.commit(result, ends)
        composed = await self.sink.composer.compose(whole, about(result), at.commit, self._seconds)
        if not isinstance(composed, CommitState):
            await self._correct(result, composed)
            await self._keep_page(result)
        return composed

    async def _publish(self) -> None:
        """Let the manifest stand at the job's stable key too; why it does not is a warning of the result."""
        job, result = self._run.job, self.lease.record.result
        if job.manifest_key is None or result is None:
            return
        edition = edition_of(self._run, result, self.clock())
        try:
            kept = await StableObject(self.clients.s3, job).replace(edition, self.clock())
        except TerminalError as error:
            kept = str(error)  # the run's own manifest is there, and the job is complete
        if kept is not None:
            told = f"{KEPT}: {job.manifest_key}: {kept}"
            result = result | {"warning": "; ".join(each for each in (result.get("warning"), told) if each)}
            await self.lease.commit(result, self.lease.record.expires_at)

    async def _keep_page(self, result: Mapping[str, Any]) -> None:
        """Write the page beside the manifest that is there, where the result says so."""
        if "page_key" in result:
            await PageObject(self.clients.s3, self._run.job, self._run.job_id).write(result["size"])

    async def _correct(self, result: Mapping[str, Any], said: Mapping[str, str]) -> None:
        """Let the record say what the manifest says: it may be the work of another holder of this run."""
        found = corrected(result, said)
        if found != result:
            self.lease.progress(found["count"])
            expires_at = found["expires_at"]
            at = datetime.strptime(expires_at, ISO).replace(tzinfo=UTC) if expires_at else None
            await self.lease.commit(found, at)


class Counting:
    """
    Hears of the pages, and lets the lease write down how many keys are written.

    :param telemetry: Hears of the pages too.
    """

    def __init__(self, telemetry: Telemetry, lease: Lease) -> None:
        self._telemetry, self._lease = telemetry, lease

    def page(self, counts: Counts, listed: int) -> None:
        """Hear that a page is written."""
        self._lease.progress(counts.count)
        self._telemetry.page(counts, listed)

    def presign_error(self, key: str, reason: str) -> None:
        """Hear that one key could not be signed."""
        self._telemetry.presign_error(key, reason)

    def listing_fallback(self, reason: str) -> None:
        """Hear that read-ahead ends."""
        self._telemetry.listing_fallback(reason)
