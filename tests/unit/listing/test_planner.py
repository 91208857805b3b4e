"""A range without a page yet, next to a range that is listed to its end."""

from __future__ import annotations

import pytest

from processor.job import KeyRange
from processor.listing.ranges.planner import RangePlanner, Request


@pytest.fixture
def planner() -> RangePlanner:
    """Return a planner whose range 0 ends with the key ``d``, next to range 2, which begins at a guess."""
    made = RangePlanner("", [KeyRange(0, "", "m", "", None, False), KeyRange(1, "m", None, "m", None, False)], 10)
    assert [made.next_request(9, split=False) for _ in range(2)] == [Request(0, ""), Request(1, "m")]
    made.arrived(0, ["a", "b"], truncated=True)
    made._cut(made.ranges[0], "g")
    assert [made.next_request(9, split=False) for _ in range(2)] == [Request(0, "b"), Request(2, "g")]
    assert made.arrived(0, ["c", "d", "h"], truncated=True) == (["c", "d"], True)
    made.written(0, "d", None, is_last=True)
    return made


def test_a_failed_range_is_requested_again_where_no_other_range_would_list_its_keys(
    planner: RangePlanner,
) -> None:
    """The range before it, which takes over otherwise, makes no more requests."""
    assert not planner.failed(2)
    assert [each.number for each in planner.open] == [2, 1]
    assert planner.next_request(9, split=False) == Request(2, "g")


def test_a_range_handed_over_without_a_page_begins_at_the_last_key_before_it(planner: RangePlanner) -> None:
    """Some servers leave out keys after a key of no object, and the next hop does not know that this one is a guess."""
    assert planner.partition() == (
        KeyRange(0, "", "d", "d", None, done=True),
        KeyRange(2, "d", "m", "d", None, done=False),
        KeyRange(1, "m", None, "m", None, done=False),
    )
