"""The ranges of a job that several chains share, as the page draws them side by side."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from presign_siblings.remote.job_snapshot import JobSnapshot

WAITING = "waiting"  # no chain has begun with it


def describe(
    snapshots: Iterable[JobSnapshot], planned: int, keys: Sequence[str], now: datetime
) -> list[dict[str, Any]]:
    """
    Return each range as JSON values, in the order of the keys.

    :param snapshots: The records of their chains.
    :param planned:   How many ranges the job was divided into.
    :param keys:      The keys that the manifest must hold, sorted.
    """
    rows: dict[int, dict[str, Any]] = {
        number: {"number": number, "state": WAITING, "reason": "", "hop": None, "count": 0, "expected": None}
        for number in range(planned)
    }
    for each in snapshots:
        record, share = each.record, each.record.place.share
        if share is None:
            continue
        end = len(keys) if share.upto is None else bisect_right(keys, share.upto)
        rows[share.number] = {
            "number": share.number,
            "state": each.state(now),
            "reason": record.reason or "",
            "hop": record.place.hop,
            "count": record.count,
            "expected": end - bisect_right(keys, share.after),
        }
    return [rows[number] for number in sorted(rows)]
