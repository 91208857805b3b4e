"""The range of a job of several chains that has taken the most work, and is not done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.ledger import COMPLETE, FANNED_OUT
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from presign_siblings.remote.job_snapshot import JobSnapshot


def slowest(ranges: Iterable[JobSnapshot], snapshot: JobSnapshot) -> JobSnapshot | None:
    """
    Return the record of the slowest range; ``None`` where no chain works on ranges of the job.

    Chains list about as fast as each other, so the range with the most hops and keys behind it has taken longest.

    :param ranges: Records of ranges, other jobs' too.
    """
    if snapshot.record.state != FANNED_OUT:
        return None
    left = [
        found for found in ranges if found.record.job_id == snapshot.record.job_id and found.record.state != COMPLETE
    ]
    return max(left, key=lambda found: (found.record.place.hop, found.record.count), default=None)


def in_words(found: JobSnapshot | None, now: datetime) -> str:
    """Return a range in words for an operator."""
    if found is None or found.record.place.share is None:
        return ""
    record, share = found.record, found.record.place.share
    return f"slowest: range {share.number} at hop {record.place.hop}, {plural(record.count, 'key')}, {found.state(now)}"


def to_dict(found: JobSnapshot | None, now: datetime) -> dict[str, Any] | None:
    """Return a range for a script."""
    if found is None or found.record.place.share is None:
        return None
    record, share = found.record, found.record.place.share
    return {"number": share.number, "hop": record.place.hop, "count": record.count, "state": found.state(now)}
