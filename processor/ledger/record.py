"""
The ledger's record of a job.

A record is the job's latest run. States: ``running`` (a holder has the lease), ``handed_over`` (the next hop is called
and not yet begun), ``fanned_out`` (a state machine gives the job's ranges to several chains, each with a record of its
own), ``parked``, ``complete``, ``failed``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from processor.errors import NewerVersionError, RetryableError, SourceRefusedError
from processor.job import VERSION, VERSION_FIELD, SiblingPayload, check_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from processor.job import DeploymentSettings

LEASE = timedelta(seconds=45)
RUNNING, HANDED_OVER, FANNED_OUT = "running", "handed_over", "fanned_out"
PARKED, COMPLETE, FAILED = "parked", "complete", "failed"
LIVE = frozenset({RUNNING, HANDED_OVER, FANNED_OUT})
CHECKPOINT_LOST = "checkpoint_lost"
NO_PROGRESS = "no_progress_after_takeovers"
RESUMABLE = frozenset({NO_PROGRESS, SourceRefusedError.__name__})  # of what has failed
REMEMBERED_SECONDS = 14 * 86_400  # a record outlives its last write by this; a finished one its URLs by a day


def milliseconds(at: datetime) -> int:
    """Return epoch milliseconds."""
    return round(at.timestamp() * 1000)


def instant(epoch_milliseconds: float) -> datetime:
    """Return the instant, UTC."""
    return datetime.fromtimestamp(int(epoch_milliseconds) / 1000, tz=UTC)


class _Attribute(NamedTuple):
    """How a value is written to an item, and read; numbers are read as ``Decimal``."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


_TEXT, _FLAG, _NUMBER = _Attribute(str, str), _Attribute(bool, bool), _Attribute(int, int)
_INSTANT, _JSON = _Attribute(milliseconds, instant), _Attribute(json.dumps, json.loads)
_ATTRIBUTES = {
    "job_key": _TEXT,
    "state": _TEXT,
    "holder": _TEXT,
    "claimant": _TEXT,
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
    :param claimant:    Run id of the event that claimed last: of this run, or of a submission that took it over.
    :param lease_until: When the lease runs out, UTC; for ``handed_over``, until when the sibling has to begin.
    :param runs:        Ids of this run, of earlier ones, and of submissions that continued with one; latest last.
    :param takeovers:   Leases taken over since the last checkpoint.
    :param stop:        An operator asked the chain to stop.
    :param result:      What the answer of a complete run says; there before the manifest appears.
    :param expires_at:  Earliest expiry of a URL signed so far, UTC.
    :param count:       Keys written so far, as of the last write of a holder; no claim depends on it.
    :param last_count:  Keys in the job's last finished manifest, when there was one; no claim depends on it.
    :param revision:    Counts writes; a claim is made against the one that it has read.
    :param tokens:      Tokens of the tasks of the state machine that wait for this record's end; the newest last.
    :param chain_hops:  Hops of all chains that share the job.
    :param hops_free:   How many of these count in no budget: the first hop of each range, and hops of earlier budgets.
    :param ranges:      Ranges of the job that the state machine gives to chains.
    :param ranges_done: How many of these ranges are done; no claim depends on it.
    :param job_hops:    Hops of all chains in the job's budget, read from the job's own record for a range; not stored.
    """

    job_key: str
    state: str
    place: SiblingPayload
    holder: str
    lease_until: datetime
    runs: tuple[str, ...]
    claimant: str | None = None
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
    def is_resumable(self) -> bool:
        """Whether the run has ended for now: its pieces are there, and an operator may continue it."""
        return self.state == PARKED or (self.state == FAILED and self.reason in RESUMABLE)

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
    def from_item(cls, item: Mapping[str, Any], deployment: DeploymentSettings | None) -> Record:
        """
        Read an item of the table.

        :param deployment: What must allow the job; ``None`` for an operator, who may look at every one.
        :raises RetryableError: A newer version wrote it, which continues with it.
        """
        version = item.get(VERSION_FIELD)
        try:
            check_version(version if version is None else int(version))
            place = SiblingPayload.restored(json.loads(item["place"]), deployment)
        except NewerVersionError as error:
            raise RetryableError(f"the record of job {item['job_key']}: {error}") from None
        found = {name: item[name] for name in _ATTRIBUTES if item.get(name) is not None}
        return cls(
            place=place,
            **{name: _ATTRIBUTES[name].read(value) for name, value in found.items()},
        )
