"""The simulation of a billion keys, on a small scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.billion.course import Course, course, plain_course
from benchmarks.billion.division import sizes
from benchmarks.billion.facts import PREFIX
from benchmarks.billion.keys import Generated, map_of
from benchmarks.billion.page import page
from benchmarks.billion.taken import alone, shared
from benchmarks.dataset import key_at

if TYPE_CHECKING:
    from processor.listing import KeyMap

pytestmark = pytest.mark.no_cover  # complete jobs of a benchmark


def test_generated_keys_are_those_of_the_stub() -> None:
    """Made at each access, sliced without being made, found after any place."""
    keys = Generated(range(10**9))
    assert keys[123_456_789] == key_at(PREFIX, 123_456_789)
    assert list(keys[5:8]) == [key_at(PREFIX, place) for place in (5, 6, 7)]
    assert keys.first_after(keys[999_999_999]) == 10**9
    assert keys.first_after(keys[41] + "!") == 42
    assert keys[:3] == Generated(range(3))


@pytest.fixture(scope="module")
def courses() -> tuple[Course, Course]:
    """Simulate a short listing with one reader, and one with many."""
    return plain_course(400_000), course(400_000, 16)


def test_a_long_listing_continues_at_the_pace_of_a_short_one(
    courses: tuple[Course, Course],
) -> None:
    """Hops end with their time, and repeat the requests under way; readers are faster, and cost more."""
    one, many = (alone(10**9, how, "", readers) for how, readers in zip(courses, (1, 16), strict=True))
    assert courses[0].until(200_000)[1] == 200
    assert 90 < one.hops < 100 > many.hops > 10
    assert one.lists == pytest.approx(10**6 + one.hops, abs=1)
    assert one.lists < many.lists <= 1.5 * 10**6
    assert many.seconds < one.seconds / 4
    assert one.dollars["LIST"] == pytest.approx(one.lists * 0.000005)


@pytest.mark.parametrize("key_map", [None, map_of(2_000_000)], ids=["first run", "key map"])
def test_several_chains_are_faster_and_cost_little_more(courses: tuple[Course, Course], key_map: KeyMap | None) -> None:
    """The ranges are the plan's, and have every key; the additional costs are the state machine's."""
    found, looked = sizes(2_000_000, 8, key_map)
    assert sum(found) == 2_000_000
    assert looked <= 64
    one = alone(2_000_000, courses[1], "1 chain", 16)
    several = shared(found, 8, courses[1], "8 chains", looked)
    assert several.seconds < one.seconds
    assert sum(several.dollars.values()) < 2 * sum(one.dollars.values())
    text = page({2_000_000: [one, several], 20_000_000: [one]})
    assert f"| 8 chains | {len(found)} | {several.hops} |" in text
