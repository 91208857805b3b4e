"""
The rules by which an event may work on a job: pure, so that every history can be tried.

A lease that has run out, of a run that is not over, may be taken over from the last checkpoint by any event of the job;
so may a job whose state machine has ended without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from processor.job import LAST
from processor.ledger.record import (
    CHECKPOINT_LOST,
    COMPLETE,
    FAILED,
    FANNED_OUT,
    HANDED_OVER,
    LEASE,
    LIVE,
    NO_PROGRESS,
    PARKED,
    RESUMABLE,
    RUNNING,
    Record,
)

if TYPE_CHECKING:
    from datetime import datetime

    from processor.job import SiblingPayload

MAX_TAKEOVERS = 3  # without progress; then the job is failed, and only an operator continues it
REMEMBERED_RUNS = 20
REMEMBERED_TOKENS = 3
FORGOTTEN = "forgotten"
# Stopped by a budget, by no progress, by an operator or by the failure of a range: only a ``resume`` continues, never a
# schedule.
FINAL_REASONS = RESUMABLE | {"no_progress", "max_hops", "max_job_seconds", "rules_disabled", "stopped"}


class Verdict(Enum):
    """What an event may do."""

    WORK = "work"  # on the decision's record
    FINISHED = "finished"  # answer with the finished manifest
    IN_PROGRESS = "in_progress"  # another submitter's job is under way
    AGAIN = "again"  # a retry met a live lease: Lambda is to deliver the event again
    DUPLICATE = "duplicate"  # the chain is past this event
    PARKED = "parked"  # answer with the resume payload
    FAILED = "failed"  # raise again, so that the on-failure destination sees it


_ENDED = {COMPLETE: Verdict.FINISHED, PARKED: Verdict.PARKED, FAILED: Verdict.FAILED}


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, with the record that it is about (for ``WORK``: to be written before the work begins)."""

    verdict: Verdict
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """
    An event that asks for its job.

    :param run:    The place that the event names; hop 0 for a submission.
    :param resume: An operator continues.
    :param time:   The event's own time, when it states one.
    :param holder: Names this claim.
    :param token:  Token of the state machine's task that the event comes from.
    :param machine_ended: The state machine that worked on the job is known to have ended.
    :param gone:   A run whose manifest is known to be gone.
    :param waits:  Whether the event is delivered again until its job is done.
    """

    run: SiblingPayload
    resume: bool
    time: datetime | None
    holder: str
    now: datetime
    token: str | None = field(default=None, repr=False)
    machine_ended: bool = False
    gone: str | None = None
    waits: bool = False

    def decide(self, record: Record | None) -> Decision:
        """
        Decide what the event may do. Whatever that is, the record remembers the task that waits for the end of its run.

        :param record: The job's record, or ``None``.
        """
        decision = self._decided(record)
        known = decision.record.tokens
        if self.token is None or self.token in known or decision.record.job_id != self.run.job_id:
            return decision
        return replace(decision, record=replace(decision.record, tokens=(*known, self.token)[-REMEMBERED_TOKENS:]))

    @property
    def gathers(self) -> bool:
        """Whether the event is a hop that follows by itself: a sibling's, or the last of the state machine."""
        return self.run.hop > 0 and not self.resume

    def has_ended(self, record: Record) -> bool:
        """Whether the event itself has ended the run: its retry may have to announce the manifest."""
        mine = self.run.job_id == (record.claimant or record.job_id)
        return mine and (self.run.hop == record.place.hop or self.run.job_id != record.job_id)

    def is_new(self, record: Record) -> bool:
        """Whether the event is a submission that has had no effect on the job yet."""
        return self.run.hop == 0 and self.run.job_id not in {record.job_id, *record.runs}

    def _decided(self, record: Record | None) -> Decision:
        if record is None:
            begun = self._begun(self.run.with_new_budget(self.now) if self.resume else self.run, None)
            if not self.gathers:
                return Decision(Verdict.WORK, begun)
            # The table was emptied, or is another one; or the event is older than what a table remembers.
            return Decision(Verdict.PARKED, replace(begun, state=PARKED, reason=FORGOTTEN))
        return self._of_submission(record) if self.run.hop == 0 else self._of_chain(record)

    def _of_submission(self, record: Record) -> Decision:
        known = not self.is_new(record)
        begun_again = Decision(Verdict.WORK, self._begun(self.run, record))
        later = self.run.job.fresh or self._is_later(record)
        dead = record.expires_at is not None and record.expires_at <= self.now
        # The run's manifest does not answer the event: its links are dead, it is gone, or it is of other dates.
        stale = dead or self.gone == record.job_id or self.run.job.dates != record.place.job.dates
        if self._is_given_again(record) and (record.is_resumable or (record.state in LIVE and self._expired(record))):
            return self._resumed(record, replace(record.place, share=self.run.share), self.run.budget_since)
        if record.state in LIVE:
            given_up = not known and self._expired(record) and (stale or self.run.job.fresh)
            return begun_again if given_up else self._under_way(record, mine=record.job_id == self.run.job_id)
        if known:
            return self._of_known(record)
        changed = record.state == COMPLETE and self.run.job.modified_since == LAST  # more may have changed since
        if record.state == FAILED or later or changed or (stale and record.reason not in FINAL_REASONS):
            return begun_again
        if record.state == COMPLETE:
            return Decision(Verdict.FINISHED, record)
        return self._parked(record)

    def _is_later(self, record: Record) -> bool:
        """Whether the event is of a later time than the run; one of a time to come answers for it until it comes."""
        if self.time is None or self.time <= record.place.started:
            return False
        return self.time <= self.now or self.time != record.place.job.time

    def _of_known(self, record: Record) -> Decision:
        """Decide for a submission that has had its effect, on a run that is over."""
        if record.reason == CHECKPOINT_LOST:
            return self._restarted(record)
        return Decision(_ENDED[record.state], record)

    def _of_chain(self, record: Record) -> Decision:
        """Decide for a sibling event or a resume payload of hop 1 or later."""
        hops_behind = record.place.hop - self.run.hop
        if record.job_id != self.run.job_id:
            return Decision(Verdict.DUPLICATE, record)
        if record.state in LIVE:
            return self._of_live_chain(record, hops_behind)
        if record.is_resumable and self.resume and not hops_behind:
            return self._resumed(record, record.place, self.now)
        if record.reason == CHECKPOINT_LOST and not hops_behind:
            return self._restarted(record)
        if record.state == FAILED and hops_behind:
            return Decision(Verdict.DUPLICATE, record)
        return Decision(_ENDED[record.state], record)

    def _is_given_again(self, record: Record) -> bool:
        """Whether a later start of the state machine gives the range out: the job was resumed, in a new budget."""
        mine, before = self.run.share, record.place.share
        return mine is not None and before is not None and mine.start > before.start

    def _resumed(self, record: Record, place: SiblingPayload, since: datetime) -> Decision:
        """
        Continue in a new budget with a chain that was parked, or has failed for a reason that may be over.

        :param since: When the new budget begins, UTC.
        """
        again = replace(_in_new_budget(self._taken(record), place, since), stop=False, takeovers=0)
        return Decision(Verdict.WORK, again)

    def _of_live_chain(self, record: Record, hops_behind: int) -> Decision:
        if record.state == FANNED_OUT and hops_behind == 0 and self.token is None and not self.machine_ended:
            return Decision(Verdict.IN_PROGRESS, record)
        if record.state in {FANNED_OUT, HANDED_OVER} and hops_behind == 0:
            return Decision(Verdict.WORK, self._taken(record))
        # The retry of the hop before may find its sibling lost; anything older is a duplicate.
        if hops_behind == 0 or (hops_behind == 1 and self._expired(record)):
            return self._under_way(record, mine=not self.resume)
        return Decision(Verdict.DUPLICATE, record)

    def _under_way(self, record: Record, *, mine: bool) -> Decision:
        if self._expired(record):
            return self._taken_over(record)
        if not mine:
            return Decision(Verdict.IN_PROGRESS, record)
        return Decision(Verdict.AGAIN if record.state == RUNNING else Verdict.DUPLICATE, record)

    def _parked(self, record: Record) -> Decision:
        if record.reason in FINAL_REASONS:
            return Decision(Verdict.PARKED, record)
        return Decision(Verdict.WORK, self._taken(record))

    def _taken_over(self, record: Record) -> Decision:
        if record.takeovers >= MAX_TAKEOVERS and not self.resume:
            return Decision(Verdict.FAILED, replace(record, state=FAILED, reason=NO_PROGRESS))
        return Decision(Verdict.WORK, replace(self._taken(record), takeovers=record.takeovers + 1))

    def _restarted(self, record: Record) -> Decision:
        """Begin the job again, since its checkpoint is lost: in its present budget, or in a new one of an operator."""
        if record.takeovers >= MAX_TAKEOVERS:
            return Decision(Verdict.FAILED, record)
        place = record.place.again(self.now, self.now if self.resume else record.place.budget_since)
        begun = replace(self._begun(place, record), tokens=record.tokens)
        return Decision(Verdict.WORK, replace(begun, takeovers=record.takeovers + 1))

    def _taken(self, record: Record) -> Record:
        """Return the record with this claim as its holder; a submission has had its effect with it."""
        known = self.run.hop > 0 or self.run.job_id in record.runs
        runs = record.runs if known else (*record.runs, self.run.job_id)[-REMEMBERED_RUNS:]
        held = replace(record, state=RUNNING, holder=self.holder, lease_until=self.now + LEASE, reason=None)
        held = replace(held, claimant=self.run.job_id, runs=runs)
        return _in_new_budget(replace(held, stop=False), held.place, self.now) if self.resume else held

    def _begun(self, run: SiblingPayload, former: Record | None) -> Record:
        """
        Return the record of a new run.

        :param former: The record of the job's run before.
        """
        if run.job.modified_since == LAST and run.share is None and former is not None:
            last = former.place.started if former.state == COMPLETE else former.place.last_started
            run = replace(run, last_started=last)
        return Record(
            job_key=run.ledger_key,
            state=RUNNING,
            place=run,
            holder=self.holder,
            claimant=self.run.job_id,
            lease_until=self.now + LEASE,
            runs=(*(former.runs if former else ()), run.job_id)[-REMEMBERED_RUNS:],
            last_count=None if former is None else former.count if former.state == COMPLETE else former.last_count,
        )

    def _expired(self, record: Record) -> bool:
        return record.lease_until <= self.now or (record.state == FANNED_OUT and self.machine_ended)


def _in_new_budget(record: Record, place: SiblingPayload, since: datetime) -> Record:
    """Return a record whose run continues from a place in a budget that begins there."""
    return replace(record, place=place.with_new_budget(since), hops_free=record.chain_hops)
