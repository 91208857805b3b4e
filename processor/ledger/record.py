"""
The ledger's record of a job, and the rules by which an event may work on it: pure, so that every history can be tried.

A record is the job's latest run. States: ``running`` (a holder has the lease), ``handed_over`` (the next hop is called
and not yet begun), ``fanned_out`` (a state machine gives the job's ranges to several chains, each with a record of its
own), ``parked``, ``complete``, ``failed``. A lease that has run out, in one of the first three, may be taken over from
the last checkpoint by any event of the job; so may a job whose state machine has ended without it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from processor.errors import InvalidEventError, RetryableError
from processor.job import LAST, VERSION, VERSION_FIELD, SiblingPayload, check_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from processor.job import DeploymentSettings

LEASE = timedelta(seconds=45)
MAX_TAKEOVERS = 3  # without progress; then the job is failed
REMEMBERED_RUNS = 20
RUNNING, HANDED_OVER, FANNED_OUT = "running", "handed_over", "fanned_out"
PARKED, COMPLETE, FAILED = "parked", "complete", "failed"
LIVE = frozenset({RUNNING, HANDED_OVER, FANNED_OUT})
REMEMBERED_TOKENS = 3
CHECKPOINT_LOST = "checkpoint_lost"
# Stopped by a budget, by no progress or by an operator: only a ``resume`` continues, never a schedule.
FINAL_REASONS = frozenset({"no_progress", "max_hops", "max_job_seconds", "rules_disabled", "stopped"})


def milliseconds(at: datetime) -> int:
    """Return epoch milliseconds."""
    return round(at.timestamp() * 1000)


def instant(epoch_milliseconds: float) -> datetime:
    """Return the instant, UTC."""
    return datetime.fromtimestamp(int(epoch_milliseconds) / 1000, tz=UTC)


class _Attribute(NamedTuple):
    """How a value stands in an item; numbers are read as ``Decimal``."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


_TEXT, _FLAG, _NUMBER = _Attribute(str, str), _Attribute(bool, bool), _Attribute(int, int)
_INSTANT, _JSON = _Attribute(milliseconds, instant), _Attribute(json.dumps, json.loads)
_ATTRIBUTES = {
    "job_key": _TEXT,
    "state": _TEXT,
    "holder": _TEXT,
    "lease_until": _INSTANT,
    "runs": _Attribute(list, tuple),
    "takeovers": _NUMBER,
    "stop": _FLAG,
    "reason": _TEXT,
    "result": _JSON,
    "expires_at": _INSTANT,
    "count": _NUMBER,
    "last_count": _NUMBER,
    "revision": _NUMBER,
    "tokens": _Attribute(list, tuple),
    "chain_hops": _NUMBER,
    "hops_free": _NUMBER,
    "ranges": _NUMBER,
    "ranges_done": _NUMBER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    One item of the jobs table.

    :param place:       Where the run continues, or continued last: the payload of that hop.
    :param holder:      The claim that holds the lease.
    :param lease_until: When it runs out; for ``handed_over``, until when the sibling has to begin.
    :param runs:        Ids of this run, of earlier ones, and of submissions that continued with one; latest last.
    :param takeovers:   Leases taken over since the last checkpoint.
    :param stop:        An operator asked the chain to stop.
    :param result:      What the answer of a complete run says; there before the manifest appears.
    :param expires_at:  Earliest death of a URL signed so far.
    :param count:       Keys written so far, as of the last write of a holder: for people, no rule looks at it.
    :param last_count:  Keys in the job's last finished manifest, when there was one: likewise.
    :param revision:    Counts writes; a claim is made against the one that it has read.
    :param tokens:      Tokens of the tasks of the state machine that wait for this record's end; the newest last.
    :param chain_hops:  Hops of all chains that share the job.
    :param hops_free:   How many of these count in no budget: the first of each range, and those of earlier budgets.
    :param ranges:      Ranges of the job that the state machine gives to chains.
    :param ranges_done: Ranges of these that are done: for people, no rule looks at it.
    :param job_hops:    Hops of all chains in the job's budget, as its own record tells one of them; not stored.
    """

    job_key: str
    state: str
    place: SiblingPayload
    holder: str
    lease_until: datetime
    runs: tuple[str, ...]
    takeovers: int = 0
    stop: bool = False
    reason: str | None = None
    result: dict[str, Any] | None = None
    expires_at: datetime | None = None
    count: int = 0
    last_count: int | None = None
    revision: int = 0
    tokens: tuple[str, ...] = field(default=(), repr=False)
    chain_hops: int = 0
    hops_free: int = 0
    ranges: int = 0
    ranges_done: int = 0
    job_hops: int | None = None

    @property
    def job_id(self) -> str:
        """The run."""
        return self.place.job_id

    @property
    def chain_hops_used(self) -> int:
        """Hops of all chains that count in the job's budget."""
        return max(0, self.chain_hops - self.hops_free)

    def to_item(self) -> dict[str, Any]:
        """Return the attributes as DynamoDB's resource types; times are epoch milliseconds."""
        values = {name: getattr(self, name) for name in _ATTRIBUTES}
        return {
            VERSION_FIELD: VERSION,
            "job_id": self.job_id,
            "hop": self.place.hop,
            "place": json.dumps(self.place.to_payload()),
            **{name: None if value is None else _ATTRIBUTES[name].write(value) for name, value in values.items()},
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any], deployment: DeploymentSettings) -> Record:
        """
        Read an item of the table.

        :raises RetryableError: A newer version wrote it, which continues with it.
        """
        version = item.get(VERSION_FIELD)
        try:
            check_version(version if version is None else int(version))
        except InvalidEventError as error:
            raise RetryableError(f"the record of job {item['job_key']}: {error}") from None
        found = {name: item[name] for name in _ATTRIBUTES if item.get(name) is not None}
        return cls(
            place=SiblingPayload.restored(json.loads(item["place"]), deployment),
            **{name: _ATTRIBUTES[name].read(value) for name, value in found.items()},
        )


class Verdict(Enum):
    """What an event may do."""

    WORK = "work"  # on the decision's record
    FINISHED = "finished"  # answer with the finished manifest
    IN_PROGRESS = "in_progress"  # another submitter's job is under way
    AGAIN = "again"  # a retry met a live lease: Lambda shall deliver the event again
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
    """

    run: SiblingPayload
    resume: bool
    time: datetime | None
    holder: str
    now: datetime
    token: str | None = field(default=None, repr=False)
    machine_ended: bool = False

    def decide(self, record: Record | None) -> Decision:
        """
        Decide what the event may do. Whatever that is, the record remembers the task that waits for its end.

        :param record: The job's record, or ``None``.
        """
        decision = self._decided(record)
        known = decision.record.tokens
        if self.token is None or self.token in known:
            return decision
        return replace(decision, record=replace(decision.record, tokens=(*known, self.token)[-REMEMBERED_TOKENS:]))

    @property
    def gathers(self) -> bool:
        """Whether the event is a hop that follows by itself: a sibling's, or the last of the state machine."""
        return self.run.hop > 0 and not self.resume

    def _decided(self, record: Record | None) -> Decision:
        if record is None:
            # A chain that the table has forgotten is over; an operator may still continue with it.
            verdict = Verdict.WORK if self.run.hop == 0 or self.resume else Verdict.DUPLICATE
            return Decision(verdict, self._begun(self.run, None))
        return self._of_submission(record) if self.run.hop == 0 else self._of_chain(record)

    def _of_submission(self, record: Record) -> Decision:
        mine = record.job_id == self.run.job_id
        known = mine or self.run.job_id in record.runs
        begun_again = Decision(Verdict.WORK, self._begun(self.run, record))
        later = self.run.job.fresh or (self.time is not None and self.time > record.place.started)
        dead = record.expires_at is not None and record.expires_at <= self.now
        if record.state in LIVE:
            given_up = not known and self._expired(record) and (dead or self.run.job.fresh)
            return begun_again if given_up else self._under_way(record, mine=mine)
        if known:
            return self._of_known(record)
        stale = dead or self.run.job.modified_since == LAST  # more may have changed since
        if record.state == FAILED or later or (record.state == COMPLETE and stale):
            return begun_again
        if record.state == COMPLETE:
            return Decision(Verdict.FINISHED, record)
        return self._parked(record)

    def _of_known(self, record: Record) -> Decision:
        """Decide for a submission that has had its effect, on a run that is over."""
        if record.reason == CHECKPOINT_LOST:
            return self._restarted(record)
        if record.state == PARKED and self._is_given_again(record):
            return self._resumed(record, replace(record.place, share=self.run.share), self.run.budget_since)
        return Decision(_ENDED[record.state], record)

    def _of_chain(self, record: Record) -> Decision:
        """Decide for a sibling event or a resume payload of hop 1 or later."""
        behind = record.place.hop - self.run.hop
        if record.job_id != self.run.job_id:
            return Decision(Verdict.DUPLICATE, record)
        if record.state in LIVE:
            return self._of_live_chain(record, behind)
        if record.state == PARKED and self.resume and not behind:
            return self._resumed(record, record.place, self.now)
        if record.state == FAILED and record.reason == CHECKPOINT_LOST and not behind:
            return self._restarted(record)
        if record.state == FAILED and behind:
            return Decision(Verdict.DUPLICATE, record)
        return Decision(_ENDED[record.state], record)

    def _is_given_again(self, record: Record) -> bool:
        """Whether a later start of the state machine gives the range out: the job was resumed."""
        mine, before = self.run.share, record.place.share
        return mine is not None and before is not None and mine.start > before.start

    def _resumed(self, record: Record, place: SiblingPayload, since: datetime) -> Decision:
        """
        Continue with a parked chain, in a new budget.

        :param since: When that began, UTC.
        """
        place = place.with_new_budget(since)
        again = replace(self._taken(record), place=place, stop=False, takeovers=0)
        again = replace(again, hops_free=record.chain_hops)
        return Decision(Verdict.WORK, again)

    def _of_live_chain(self, record: Record, behind: int) -> Decision:
        if record.state in {HANDED_OVER, FANNED_OUT} and behind == 0:
            return Decision(Verdict.WORK, self._taken(record))
        # The retry of the hop before may find its sibling lost; anything older is a duplicate.
        if behind == 0 or (behind == 1 and self._expired(record)):
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
        if record.takeovers >= MAX_TAKEOVERS:
            return Decision(Verdict.FAILED, replace(record, state=FAILED, reason="no_progress_after_takeovers"))
        return Decision(Verdict.WORK, replace(self._taken(record), takeovers=record.takeovers + 1))

    def _restarted(self, record: Record) -> Decision:
        """Begin the job again: what its checkpoint named is gone."""
        if record.takeovers >= MAX_TAKEOVERS:
            return Decision(Verdict.FAILED, record)
        begun = replace(self._begun(record.place.again(self.now), record), tokens=record.tokens)
        return Decision(Verdict.WORK, replace(begun, takeovers=record.takeovers + 1))

    def _taken(self, record: Record) -> Record:
        """Return the record with this claim as its holder; a submission has had its effect with it."""
        known = self.run.hop > 0 or self.run.job_id in record.runs
        runs = record.runs if known else (*record.runs, self.run.job_id)[-REMEMBERED_RUNS:]
        return replace(record, state=RUNNING, holder=self.holder, lease_until=self.now + LEASE, reason=None, runs=runs)

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
            lease_until=self.now + LEASE,
            runs=(*(former.runs if former else ()), run.job_id)[-REMEMBERED_RUNS:],
            last_count=None if former is None else former.count if former.state == COMPLETE else former.last_count,
        )

    def _expired(self, record: Record) -> bool:
        return record.lease_until <= self.now or (record.state == FANNED_OUT and self.machine_ended)
