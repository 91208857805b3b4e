"""
The sibling payload: what one hop passes to the next, in constant size.

What grows (the ranges and their pieces) is in the checkpoint object alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from processor.errors import CheckpointLostError, InvalidEventError
from processor.job import s3_names, times, validation
from processor.job.checkpoint import Checkpoint
from processor.job.encoded_bytes import EncodedBytes
from processor.job.fields import TOLERATED
from processor.job.job import Job
from processor.job.key_range import KeyRange
from processor.job.share import Share
from processor.job.version import VERSION, VERSION_FIELD, check_known, check_version
from processor.job.written_range import WrittenRange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from processor.job.deployment_settings import DeploymentSettings

T = TypeVar("T")

MAX_HOP = 1_000_000_000
_JOB_ID_RULE = "must be the id that the chain's first hop gave the job"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiblingPayload:
    """
    The sibling payload: who continues with what, from where.

    :param hop:            Number of the hop that reads this; 0 is the first.
    :param cursor:         Continuation token of the run's first range that is not done, where it has one.
    :param start_after:    Last key listed of that range: all keys before it are written.
    :param checkpoint_key: S3 key of the checkpoint object, in the manifest's bucket; the first hop has none.
    :param started:        When the first hop began, UTC.
    :param budget_hop:     Hop at which the current hop budget began.
    :param budget_since:   When the current age budget began, UTC.
    :param event_rules:    Rules that target the function, found once at the first hop; ``None`` when not looked up.
    :param last_started:   When the job's last complete run began, for a job that takes what changed since.
    :param resume:         An operator (not a sibling) continues: a new budget begins.
    :param share:          The range that this chain works on, where several chains share the job.
    """

    job: Job
    job_id: str
    hop: int
    cursor: str | None
    start_after: str | None
    checkpoint_key: str | None
    started: datetime
    budget_hop: int
    budget_since: datetime
    event_rules: tuple[str, ...] | None = None
    last_started: datetime | None = None
    resume: bool = False
    share: Share | None = None

    @property
    def ledger_key(self) -> str:
        """The key of the record in the ledger: the job's own, or that of a range of one run."""
        if self.share is None:
            return self.job.job_key
        return hashlib.sha256(f"{self.job_id} {self.share.number}".encode()).hexdigest()[:32]

    def to_payload(self) -> dict[str, Any]:
        """Return the payload as the contract writes it."""
        return {
            VERSION_FIELD: VERSION,
            "job": self.job.to_payload(),
            "job_id": self.job_id,
            "hop": self.hop,
            "cursor": self.cursor,
            "start_after": self.start_after,
            "manifest": {
                "bucket": self.job.manifest_bucket,
                "key": self.job.manifest_key_of(self.job_id),
                "checkpoint": self.checkpoint_key,
            },
            "started": self.started.isoformat(),
            "budget": {"hop": self.budget_hop, "since": self.budget_since.isoformat()},
            "event_rules": None if self.event_rules is None else list(self.event_rules),
            "resume": self.resume,
            **({} if self.share is None else {"share": self.share.to_payload()}),
            **({} if self.last_started is None else {LAST_STARTED: self.last_started.isoformat()}),
        }

    @classmethod
    def first(cls, job: Job, job_id: str, now: datetime) -> SiblingPayload:
        """Begin a run."""
        return cls(
            job=job,
            job_id=job_id,
            hop=0,
            cursor=job.cursor,
            start_after=job.start_after,
            checkpoint_key=None,
            started=now,
            budget_hop=0,
            budget_since=now,
        )

    def begin(self) -> Checkpoint:
        """Return the checkpoint that a run starts from: its whole key space, of which nothing is listed."""
        after, upto, cursor = self.job.start_after or "", self.job.end_at, self.job.cursor
        if self.share is not None:
            after, upto, cursor = self.share.after, self.share.upto, None
        whole = KeyRange.unlisted(0, after, upto, cursor)
        return Checkpoint(
            job_key=self.job.job_key,
            job_id=self.job_id,
            hop=self.hop,
            ranges=(WrittenRange(whole, EncodedBytes(), ()),),
        )

    def accept(self, checkpoint: Checkpoint) -> Checkpoint:
        """
        Return a stored checkpoint when it is the one that this payload names.

        :raises CheckpointLostError: It is another job's or another hop's.
        """
        front = checkpoint.front
        found = (checkpoint.job_key, checkpoint.job_id, checkpoint.hop, front.cursor, front.place)
        if found != (self.job.job_key, self.job_id, self.hop, self.cursor, self.start_after or ""):
            raise CheckpointLostError(f"the checkpoint that hop {self.hop} names belongs to another hop or job")
        return checkpoint

    def after(self, checkpoint: Checkpoint, key: str) -> SiblingPayload:
        """
        Return the payload of the next sibling.

        :param checkpoint: Where this hop stopped.
        :param key:        The S3 key that it was stored under.
        """
        return replace(
            self,
            hop=checkpoint.hop,
            cursor=checkpoint.front.cursor,
            start_after=checkpoint.front.place or None,
            checkpoint_key=key,
            resume=False,
        )

    def shared(self, share: Share) -> SiblingPayload:
        """Return the payload of the first hop of a range's own chain; its age counts with the job's."""
        return replace(
            self,
            hop=0,
            cursor=None,
            start_after=share.after or None,
            checkpoint_key=None,
            budget_hop=0,
            resume=False,
            share=share,
        )

    def again(self, now: datetime, since: datetime) -> SiblingPayload:
        """
        Return the first place of a new run of the job; a range of a run begins again in the same run.

        :param since: When the age budget began, UTC: a run that begins again does not become younger.
        """
        if self.share is not None:
            return self.shared(self.share)
        first = SiblingPayload.first(self.job, self.job.job_id(f"{self.job_id} again"), now)
        return replace(first, budget_since=since)

    def of_one_chain(self) -> SiblingPayload:
        """Return the same place of a job that one chain finishes alone: no other chain works on what is left."""
        return replace(self, job=replace(self.job, chains=1))

    def with_new_budget(self, now: datetime) -> SiblingPayload:
        """Return the same place with fresh hop and age budgets, for an operator's ``resume``."""
        return replace(self, budget_hop=self.hop, budget_since=now, resume=False)

    def to_resume(self) -> dict[str, Any]:
        """Return the payload that continues from here when an operator invokes it."""
        return replace(self, resume=True).to_payload()

    @classmethod
    def restored(cls, payload: Mapping[str, Any], deployment: DeploymentSettings | None) -> SiblingPayload:
        """Read the payload that the ledger keeps, which may be that of a first hop."""
        if payload["hop"] or "share" in payload:
            return cls.from_payload(payload, deployment)
        job = Job.from_payload(payload["job"], deployment)
        first = cls.first(job, payload["job_id"], times.instant("started", payload["started"]))
        since = times.instant("budget.since", payload["budget"]["since"])
        return replace(first, budget_since=since, last_started=_given(payload, LAST_STARTED, times.instant))

    @classmethod
    def from_payload(cls, event: Mapping[str, Any], deployment: DeploymentSettings | None) -> SiblingPayload:
        """
        Read a sibling payload, which is input like any other.

        :param deployment: What must allow the job; ``None`` where the job is only looked at.
        :raises InvalidEventError: A field breaks its rule, or a place does not match the job.
        """
        check_version(event.get(VERSION_FIELD))
        check_known(event, SIBLING_FIELDS | TOLERATED)
        job = Job.from_payload(event.get("job"), deployment)
        job_id = validation.text("job_id", event.get("job_id"))
        if not job_id.startswith(f"{job.job_key[:16]}-") or not job_id.replace("-", "").isalnum():
            raise InvalidEventError("job_id", job_id, _JOB_ID_RULE)
        share = None if event.get("share") is None else Share.from_payload(event["share"])
        hop = validation.integer("hop", event.get("hop"), 1 if share is None else 0, MAX_HOP)
        budget = validation.fields("budget", event.get("budget"), {"hop", "since"})
        return cls(
            job=job,
            job_id=job_id,
            hop=hop,
            cursor=_given(event, "cursor", validation.text),
            # Some servers have longer keys than S3; such a key is a place to continue from, too.
            start_after=_given(event, "start_after", validation.text),
            checkpoint_key=_checkpoint_key(event.get("manifest"), job, job_id, first=hop == 0),
            started=times.instant("started", event.get("started")),
            budget_hop=validation.integer("budget.hop", budget["hop"], 0, hop),
            budget_since=times.instant("budget.since", budget["since"]),
            event_rules=_given(event, "event_rules", _names),
            last_started=_given(event, LAST_STARTED, times.instant),
            resume=validation.flag("resume", event.get("resume", False)),
            share=share,
        )


MARKS = frozenset({"job", "job_id", "hop", "manifest", "started", "budget", "event_rules", "resume"})
LAST_STARTED = "last_started"
SIBLING_FIELDS = MARKS | {"cursor", "start_after", "share", LAST_STARTED, VERSION_FIELD}


def _given(payload: Mapping[str, Any], name: str, rule: Callable[[str, object], T]) -> T | None:
    """Return a field that may be absent, checked."""
    written = payload.get(name)
    return None if written is None else rule(name, written)


def _names(field: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InvalidEventError(field, value, "must be a list of strings")
    return tuple(value)


def _checkpoint_key(manifest: object, job: Job, job_id: str, *, first: bool) -> str | None:
    place = validation.fields("manifest", manifest, {"bucket", "key", "checkpoint"})
    if place["bucket"] != job.manifest_bucket:
        raise InvalidEventError("manifest.bucket", place["bucket"], "must be the job's manifest_bucket")
    if place["key"] != job.manifest_key_of(job_id):
        raise InvalidEventError("manifest.key", place["key"], "must be the job's own manifest")
    if first and place["checkpoint"] is None:
        return None
    key = s3_names.key("manifest.checkpoint", place["checkpoint"])
    if not key.startswith(job.checkpoint_prefix(job_id)):
        raise InvalidEventError("manifest.checkpoint", key, "must be under the job's own checkpoints")
    return key
