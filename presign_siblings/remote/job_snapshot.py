"""A job of the ledger, as an operator sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.instant import ISO
from processor.ledger import LIVE, Record, instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

LOST = "lost"  # the lease has ended: Lambda's retry, a submission or an operator takes the job over


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """
    A record, as it was read from the table.

    :param record:  The ledger's record.
    :param written: Time of the record's last write, UTC; approximate where an older release wrote it.
    """

    record: Record
    written: datetime

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> JobSnapshot:
        """Read an item of the table from DynamoDB's typed form."""
        from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415 - the table is asked before it is needed

        values = {name: TypeDeserializer().deserialize(value) for name, value in item.items()}
        record = Record.from_item(values, None)
        return cls(record, instant(values["written"]) if "written" in values else record.lease_until)

    def state(self, now: datetime) -> str:
        """Return the record's state, or ``lost`` when the lease of a running job has ended."""
        alive = self.is_over or self.record.lease_until > now
        return self.record.state if alive else LOST

    @property
    def is_over(self) -> bool:
        """Whether no hop follows without the operator."""
        return self.record.state not in LIVE

    @property
    def seconds(self) -> float:
        """Duration of the run, up to the record's last write."""
        return max(0.0, (self.written - self.record.place.started).total_seconds())

    def to_dict(self, now: datetime) -> dict[str, Any]:
        """Return the job's facts for a script, as JSON values without any URL."""
        record, place = self.record, self.record.place
        job = place.job
        return {
            "job_key": record.job_key,
            "job_id": record.job_id,
            "state": self.state(now),
            "reason": record.reason,
            "stop": record.stop,
            "source": f"s3://{job.bucket}/{job.prefix}",
            "manifest": f"s3://{job.manifest_bucket}/{job.manifest_key_of(record.job_id)}",
            "hop": place.hop,
            "count": record.count,
            "last_count": record.last_count,
            "errors": (record.result or {}).get("errors", 0),
            "takeovers": record.takeovers,
            "chains": job.chains,
            "ranges": record.ranges,
            "ranges_done": record.ranges_done,
            "started": place.started.strftime(ISO),
            "written": self.written.strftime(ISO),
            "seconds": self.seconds,
            "expires_at": record.expires_at and record.expires_at.strftime(ISO),
        }


def total(snapshot: JobSnapshot, expected: int | None = None) -> int | None:
    """
    Estimate how many keys the run will have: as many as the job's last manifest.

    :param expected: The operator's own estimate, which comes first.
    """
    return expected if expected is not None else snapshot.record.last_count
