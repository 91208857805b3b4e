"""SlowDown lowers the number of requests under way, and the number recovers."""

from __future__ import annotations

from processor.listing.aimd import AimdLimit


def test_slow_down_halves_the_limit_once_a_round_and_never_below_one() -> None:
    """Sixteen answers of one burst count once; the next burst counts again."""
    throttle = AimdLimit(16)
    for limit in (8, 4, 2, 1, 1):
        for _ in range(16):
            throttle.slowed()
        assert throttle.limit == limit
        for _ in range(2 * limit):
            throttle.went_well()
        throttle._limit = float(limit)


def test_the_limit_recovers_by_one_a_round_up_to_where_it_was() -> None:
    """At once, the next burst would be as large as the one that was too much."""
    throttle = AimdLimit(8)
    throttle.slowed()
    seen = []
    for _ in range(80):
        throttle.went_well()
        seen.append(throttle.limit)
    assert seen == sorted(seen)
    assert set(seen) == {4, 5, 6, 7, 8}
    assert seen[7] == 5
    assert seen[-1] == 8
