"""The tester shows the ranges of a job of several chains side by side."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from dev.tester import shares
from presign_siblings.remote.job_snapshot import JobSnapshot
from processor.job import Share
from processor.ledger import COMPLETE, RUNNING
from tests.builders import record_of
from tests.conftest import NOW

KEYS = [f"in/{number}.pdf" for number in range(10)]


def seen(number: int, after: str, upto: str | None, state: str, count: int) -> JobSnapshot:
    """Return the ledger's record of a range."""
    record = record_of(state=state, count=count, lease_until=NOW + timedelta(seconds=45))
    share = Share(number, after, upto, 1)
    return JobSnapshot(replace(record, place=replace(record.place, share=share)), NOW)


def test_each_range_has_a_row_with_its_keys_in_key_order() -> None:
    """A range that no chain has begun included, which has no record."""
    rows = shares.describe(
        [seen(2, "in/7", None, RUNNING, 1), seen(0, "", "in/3.pdf", COMPLETE, 4)], planned=3, keys=KEYS, now=NOW
    )
    assert [(row["number"], row["state"], row["count"], row["expected"]) for row in rows] == [
        (0, "complete", 4, 4),
        (1, "waiting", 0, None),
        (2, "running", 1, 3),
    ]


def test_a_chain_whose_hop_has_died_is_shown_as_lost() -> None:
    """Its record still has the state running."""
    (row,) = shares.describe([seen(0, "", None, RUNNING, 0)], planned=1, keys=KEYS, now=NOW + timedelta(minutes=1))
    assert row["state"] == "lost"
