"""The commit of a run: its result is written down, then its manifest appears, with the same facts as metadata."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from processor.chain.page_object import PageObject
from processor.chain.probe import probed
from processor.chain.result import KEPT, about, corrected, edition_of, result_of
from processor.chain.shortfall import BEYOND_SESSION, beyond_session, in_words
from processor.errors import TerminalError
from processor.instant import ISO
from processor.job import CommitState
from processor.manifest import StableObject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from processor.chain.resources import Clients
    from processor.job import Checkpoint, SiblingPayload
    from processor.ledger import Lease, Record
    from processor.manifest import Composer, Whole
    from processor.signing import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """
    Commits one run.

    :param claimed:  The record as it was claimed.
    :param composer: Puts the manifest together.
    :param clock:    UTC.
    :param of_role:  Whether the URLs end with a role's session.
    """

    claimed: Record
    lease: Lease
    clients: Clients
    composer: Composer
    clock: Callable[[], datetime]
    of_role: bool

    @property
    def _run(self) -> SiblingPayload:
        return self.claimed.place

    async def is_done(self) -> bool:
        """Look for the manifest that an earlier holder was about to commit; its metadata corrects the result."""
        result = self.claimed.result
        metadata = None if result is None else await self.composer.found()
        if result is None or metadata is None:
            return False
        await self._end(result, metadata)
        return True

    async def compose(
        self, at: Checkpoint, whole: Whole, signer: Signer, time_left: Callable[[], float]
    ) -> CommitState | None:
        """
        Put the manifest together.

        :param at:     How far the run is.
        :param signer: Signs the URLs that are probed, where the job asks for a probe.
        :param time_left: Seconds; asked between the steps.
        :return: How far this hop came; ``None`` when the manifest is there.
        :raises PresignSiblingsError: S3 refuses.
        """
        result = await self._result(at, whole, signer)
        composed = await self.composer.compose(whole, about(result), at.commit, time_left)
        if isinstance(composed, CommitState):
            return composed
        await self._end(result, composed)
        return None

    async def _result(self, at: Checkpoint, whole: Whole, signer: Signer) -> dict[str, Any]:
        """Write the result into the record, and return it."""
        job, probe = self._run.job, None
        if job.can_be_tried(self.clock()):
            probe = await probed(self.clients.signing, signer, at.counts, listed=job.keys_place is None)
        result = result_of(self._run, at.counts, whole.encoded, self.claimed.last_count, probe)
        result["hops"] += self.claimed.chain_hops
        beyond = beyond_session(job.expiry_seconds, of_role=self.of_role)
        if beyond:
            result["warning"] = in_words(BEYOND_SESSION, result.get("warning", ""))
        self.lease.progress(at.counts.count)
        # Until the URLs expire, the record answers other submissions of the same job.
        await self.lease.commit(result, at.counts.expires_at and at.counts.expires_at - beyond)
        return result

    async def _end(self, result: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
        """Correct the record, and write page and stable object, now that the manifest is there."""
        await self._correct(result, metadata)
        if "page_key" in result:
            await PageObject(self.clients.s3, self._run.job, self._run.job_id).write(result["size"])
        await self._publish()

    async def _publish(self) -> None:
        """Copy the manifest to the job's stable key; where that is not done, the result says why in a warning."""
        job, result = self._run.job, self.lease.record.result
        if job.manifest_key is None or result is None:
            return
        edition = edition_of(self._run, result, self.clock())
        try:
            kept = await StableObject(self.clients.s3, job).replace(edition, self.clock())
        except TerminalError as error:
            kept = str(error)  # the run's own manifest is there, and the job is complete
        if kept is not None:
            reason = {KEPT: f"{job.manifest_key}: {kept}"}
            result = result | {"warning": in_words(reason, result.get("warning", ""))}
            await self.lease.commit(result, self.lease.record.expires_at)

    async def _correct(self, result: Mapping[str, Any], metadata: Mapping[str, str]) -> None:
        """Correct the record by the manifest's metadata: another holder of this run may have written the manifest."""
        found = corrected(result, metadata)
        if found != result:
            self.lease.progress(found["count"])
            expires_at = found["expires_at"]
            at = datetime.strptime(expires_at, ISO).replace(tzinfo=UTC) if expires_at else None
            await self.lease.commit(found, at)
