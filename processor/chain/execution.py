"""The work of one hop, under its lease: from the checkpoint before it to the manifest, or to the next checkpoint."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from processor.chain.commit import Commit
from processor.chain.counting import Counting
from processor.chain.outcome import Outcome
from processor.chain.pipeline import Pipeline
from processor.chain.signer import open_job_signer
from processor.errors import ChainFailedError, CheckpointLostError
from processor.job import Counts
from processor.listing import WORTH_PAGES, KeyMap, KeyMapStore, Lister, open_listing
from processor.manifest import RangeWriters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from datetime import datetime

    from processor.chain.checkpoint_store import CheckpointStore
    from processor.chain.fan_out import FanOut
    from processor.chain.pipeline import Listed, Listing
    from processor.chain.resources import Clients
    from processor.job import Checkpoint, CommitState, DeploymentSettings, KeyRange, SiblingPayload
    from processor.ledger import Lease, Ledger, Record
    from processor.manifest import Sink
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
    :param load:      Reads the checkpoints of the chains that share the job.
    :param ledger:    Says how far these chains are.
    :param sink:      Where pieces and manifest are written.
    :param distribution: CloudFront distribution, for a job whose URLs CloudFront signs.
    :param fan_out:   Divides the job between several chains; ``None`` where this chain does it all.
    """

    claimed: Record
    lease: Lease
    clients: Clients
    deployment: DeploymentSettings
    telemetry: Telemetry
    time_left: Callable[[], float]
    clock: Callable[[], datetime]
    store: CheckpointStore
    load: Callable[[SiblingPayload], Awaitable[Checkpoint]]
    ledger: Ledger
    sink: Sink
    distribution: Distribution | None = None
    fan_out: FanOut | None = None
    _start: Checkpoint = field(init=False)
    _writers: RangeWriters | None = None
    _composed: CommitState | None = None
    _commit: Commit = field(init=False)

    def __post_init__(self) -> None:
        """Open nothing: what the work needs is opened when it begins."""
        self._start = self._run.begin()
        self._commit = Commit(
            claimed=self.claimed,
            lease=self.lease,
            clients=self.clients,
            composer=self.sink.composer,
            clock=self.clock,
            of_role=self.clients.of_role and self.distribution is None,
        )

    @property
    def _run(self) -> SiblingPayload:
        return self.claimed.place

    async def outcome(self) -> Outcome | None:
        """
        List, sign and write, until the listing or the time ends; then put the manifest together.

        :return: ``None`` when the manifest was there already: an earlier holder had committed it.
        """
        if await self._commit.is_done():
            with suppress(CheckpointLostError):
                self._start = await self.store.load()  # names the pieces to delete
            return None
        self._start = await self.store.load()
        if self.fan_out is not None:
            waiting = await self._divide(self.fan_out)
            if not self._start.is_listed:
                return self._waits(waiting)
        writers = self._writers = RangeWriters(self.sink.pieces, self._run.job.compression, self._start.ranges)
        try:
            return await self._worked(writers)
        except BaseException:
            await self._drop(writers)
            raise
        finally:
            self.sink.pieces.bodies.close()

    async def _divide(self, fan_out: FanOut) -> str | None:
        """
        Divide a job that begins between chains, or take up what they have written.

        :return: Why chains that have worked on ranges are not done with them.
        :raises ChainFailedError: One of them has failed for good.
        """
        if self._run.checkpoint_key is None:
            known = None if self.deployment.manifest_is_file else await self._key_maps.load()
            self._start = await fan_out.divided(self._start, self._lister(), known, self._seconds)
            if known is None and self._seconds() <= 0:
                self.telemetry.warning("divided_unseen", ranges=len(self._start.ranges))
            return None
        # Where a chain has failed, the checkpoint names all pieces of all chains, to delete them.
        gained = await fan_out.gathered(self._start, self._run, self.ledger, self.load, self._lister())
        self._start = gained.checkpoint
        if gained.failed is not None:
            raise ChainFailedError(f"a chain of job {self._run.job_id} has failed: {gained.failed}")
        return gained.reason

    def _waits(self, reason: str | None) -> Outcome:
        """Return the outcome of a hop whose job waits for chains."""
        start = self._start
        at = replace(start, hop=self._run.hop + 1)
        return Outcome(complete=False, start=start, checkpoint=at, size=start.size, divided=True, waiting=reason)

    def _lister(self) -> Lister:
        job = self._run.job
        places, allowed = job.manifest_places(self.deployment), self.deployment.allowed_prefixes
        return Lister(self.clients.s3, job, places, self._run.last_started, allowed)

    async def save(self, outcome: Outcome) -> SiblingPayload:
        """Write the checkpoint, and return the place that continues from it."""
        at = outcome.checkpoint
        self.lease.progress(at.counts.count)
        return self._run.after(at, await self.store.save(at))

    async def forget_begun(self) -> None:
        """Abort an upload of the manifest that this hop has begun: the hop has failed, and the ledger names none."""
        before, begun = self._start.commit, self._composed
        if begun is not None and (before is None or before.upload_id != begun.upload_id):
            await self.sink.composer.forget(begun)

    async def abort(self) -> None:
        """Drop everything that is stored: the run is over."""
        if self._start.commit is not None:
            await self.sink.composer.forget(self._start.commit)
        await self.tidy()

    async def tidy(self) -> None:
        """Delete the pieces: the manifest is there, or never will be. The lifecycle rule deletes what is left."""
        keys = {*self._start.pieces, *(self._writers.keys if self._writers else ())}
        await self._discard(keys, self.time_left())

    async def _drop(self, writers: RangeWriters) -> None:
        """Drop what this hop has stored: it has failed, and no checkpoint names it."""
        await writers.abort()
        await self._discard(set(writers.keys) - set(self._start.pieces), 0)

    async def _discard(self, keys: Collection[str], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(TIDYING_SECONDS, seconds)):
                await self.sink.pieces.discard(keys)

    async def _worked(self, writers: RangeWriters) -> Outcome:
        began, lister, start, signer = self.clock(), self._lister(), self._start, await self._signer()
        listed = await self._pipeline(lister, signer, writers).run(start, self._learnt)
        at, complete, size = replace(start, counts=listed.counts + Counts(hindered=lister.lost)), False, 0
        if listed.ended and self._run.share is None:
            whole = await writers.whole(listed.partition)
            state = await self._commit.compose(at, whole, signer, self._seconds)
            self._composed = state
            at, complete, size = replace(at, commit=state), state is None, whole.encoded.size
            if complete:
                await self._keep_map(listed)
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

    async def _signer(self) -> Signer:
        clients = self.clients
        signer = await open_job_signer(
            self._run.job, clients.signing, clients.signing_key, self.clock, self.distribution
        )
        if signer.fallback_reason is not None:
            self.telemetry.warning("signer_fallback", reason=signer.fallback_reason)
        return signer

    def _pipeline(self, lister: Lister, signer: Signer, writers: RangeWriters) -> Pipeline:
        job, observer = self._run.job, Counting(self.telemetry, self.lease)

        def listing(ranges: Sequence[KeyRange], learnt: KeyMap | None) -> Listing:
            queue_max = self.deployment.keys_ahead(job.concurrency)
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
            is_list=job.is_of_list,
            credentials_end=self.clients.signing_end if self.distribution is None else None,
        )

    @property
    def _key_maps(self) -> KeyMapStore:
        return KeyMapStore(self.clients.s3, self._run.job.manifest_bucket, self._run.job.key_map_key)

    @property
    def _learnt(self) -> KeyMap | None:
        """The map that earlier hops of this run have made."""
        written = self._start.key_map
        return None if written is None else KeyMap.from_json(written)

    async def _keep_map(self, listed: Listed) -> None:
        """Leave the map of the keys for the next run of this prefix, where that is worth a request."""
        worth = listed.counts.pages > WORTH_PAGES and self._run.job.is_whole and not self.deployment.manifest_is_file
        if listed.key_map is not None and worth:
            refused = await self._key_maps.save(listed.key_map)
            if refused is not None:
                self.telemetry.warning("key_map_not_kept", error=refused)

    def _seconds(self) -> float:
        """Return the seconds left; 0 once an operator asked to stop."""
        return 0.0 if self.lease.stop else self.time_left()
