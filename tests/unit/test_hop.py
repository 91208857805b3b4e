"""One event, worked on: what no whole chain shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from processor.hop import _dying_first
from processor.record import RUNNING
from tests.conftest import NOW
from tests.unit.test_record import at_hop, record_of

LATER = NOW + timedelta(minutes=1)


def test_a_take_over_counts_with_the_commit_before_it() -> None:
    """That commit may still appear, and its URLs die first (the simulation found a record that outlived them)."""
    start = at_hop(3).begin()
    assert _dying_first(start, record_of(RUNNING)).expires_at is None
    assert _dying_first(start, record_of(RUNNING, expires_at=NOW)).expires_at == NOW
    assert _dying_first(replace(start, expires_at=LATER), record_of(RUNNING, expires_at=NOW)).expires_at == NOW
    assert _dying_first(replace(start, expires_at=NOW), record_of(RUNNING, expires_at=LATER)).expires_at == NOW
