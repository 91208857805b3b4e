"""A map of keys is exact at its own keys, small, and trusted only between them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.listing import KeyMap, KeyMapMaker
from processor.listing.ranges.key_map import MOST_KEYS


def mapped(count: int, page: int = 1000, before: KeyMap | None = None, start: int = 0) -> KeyMap:
    """Learn numbers, in two ranges that are listed turn by turn."""
    maker, half = KeyMapMaker("in/", before), count // 2
    keys = [f"in/{start + n:07d}" for n in range(count)]
    for at in range(0, half, page):
        maker.add(0, keys[at : min(at + page, half)], is_last=at + page >= half)
        maker.add(
            1, keys[half + at : half + at + page] if at + page < half else keys[half + at :], is_last=at + page >= half
        )
    return maker.map()


@pytest.mark.parametrize("count", [2, 31, 32, 1000, 12_345, 300_000])
def test_a_map_counts_every_key_once(count: int) -> None:
    """However many; its thinned middle is wrong by a few distances, its total never."""
    found = mapped(count)
    assert len(found.keys) <= MOST_KEYS
    assert found.ranks[-1] == count
    assert all(abs(rank - int(key) - 1) <= 256 for key, rank in zip(found.keys, found.ranks, strict=True))
    assert found.keys[-1] == f"{count - 1:07d}"


def test_a_map_knows_the_key_a_number_of_keys_ahead() -> None:
    """At most that number ahead, and less than two of the map's distances short of it."""
    found = mapped(300_000).under("in/")
    key = found.key_ahead("in/0050000", None, 10_000)
    assert key is not None
    assert "in/0059800" <= key <= "in/0060000"
    assert found.key_ahead("in/0050000", "in/0055000", 10_000) is None
    assert found.key_ahead("in/0299999", None, 10_000) is None
    assert abs(found.count("in/0050000", "in/0060000") - 10_000) < 200
    assert found.count("in/0060000", "in/0050000") == 0


def test_a_rank_between_two_keys_of_the_map_is_the_number_of_keys_counted() -> None:
    """A count that contradicts the map is corrected by it."""
    found = KeyMap(("b", "d"), (10, 30))
    assert [found.rank(key, 17) for key in ("a", "b", "c", "d", None)] == [10, 17, 17, 30, 30]
    assert [found.rank("c", known) for known in (0, 99)] == [10, 30]
    assert [found.key_at(rank) for rank in (9, 10, 29, 30, 99)] == [None, "b", "b", "d", "d"]


def test_a_map_continues_where_an_earlier_hop_stopped() -> None:
    """Its distances are those of both hops."""
    both = mapped(2000, start=1000, before=mapped(1000))
    assert both.ranks[-1] == 3000
    assert both.keys[-1] == "0002999"


@given(st.sets(st.text(max_size=8), max_size=30), st.lists(st.integers(1, 1000), min_size=30, max_size=30))
def test_a_map_is_read_back_as_it_was_written(keys: set[str], ranks: list[int]) -> None:
    """Whatever the keys."""
    found = KeyMap(tuple(sorted(keys)), tuple(sum(ranks[: n + 1]) for n in range(len(keys))))
    assert KeyMap.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"keys": "ab"},
        {"keys": ["b", "a"]},
        {"keys": ["a", 1]},
        {"distances": [1]},
        {"distances": [1, 0]},
        {"distances": None},
        {"keys": [f"{n:05d}" for n in range(MOST_KEYS + 1)], "distances": [1] * (MOST_KEYS + 1)},
    ],
)
def test_a_broken_map_is_read_as_no_map(change: dict[str, object]) -> None:
    """A job without a map is only slower."""
    assert KeyMap.from_json({"version": 1, "keys": ["a", "b"], "distances": [1, 2]}) is not None
    assert KeyMap.from_json({"version": 1, "keys": ["a", "b"], "distances": [1, 2], **change}) is None
