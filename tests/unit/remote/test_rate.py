"""Rate and estimate of a run, from its progress so far."""

from __future__ import annotations

from datetime import timedelta

from presign_siblings.remote.rate import Rate
from tests.conftest import NOW


def after(seconds: float) -> timedelta:
    """Return a duration."""
    return timedelta(seconds=seconds)


def test_the_rate_is_that_of_the_last_two_minutes() -> None:
    """A slow start does not count later."""
    pace = Rate(NOW)
    assert pace.rate is None
    pace.observe(NOW + after(100), 100)
    assert pace.rate == 1
    for seconds in range(100, 400, 15):
        pace.observe(NOW + after(seconds), 100 + (seconds - 100) * 50)
    assert pace.rate == 50


def test_the_remaining_time_needs_a_total_not_yet_reached() -> None:
    """The total is the last manifest's, which may be smaller."""
    pace = Rate(NOW)
    pace.observe(NOW + after(10), 1000)
    assert pace.left(3000) == after(20)
    assert pace.left(None) is None
    assert pace.left(999) is None


def test_a_repeated_hop_lowers_the_count_and_not_the_rate() -> None:
    """The rate is never negative."""
    pace = Rate(NOW)
    pace.observe(NOW + after(10), 1000)
    pace.observe(NOW + after(60), 500)
    assert pace.rate is None
    pace.observe(NOW + after(70), 600)
    assert pace.rate == 10
