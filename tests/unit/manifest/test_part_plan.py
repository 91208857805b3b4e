"""The parts of the manifest have legal sizes, and every byte once, in order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.errors import ManifestTooLongError
from processor.manifest import part_plan
from processor.manifest.part_plan import (
    COPIED,
    MAX_PART,
    MAX_PARTS,
    MIB,
    MIN_PART,
    PlannedPart,
    plan_copies,
    plan_equal,
)

GIB, TIB = 1 << 30, 1 << 40
SIZES = st.lists(
    st.integers(1, 100)
    | st.integers(MIN_PART - 3, MIN_PART + 3)
    | st.integers(2 * MIN_PART - 3, 2 * MIN_PART + 3)
    | st.integers(1, 20 * GIB),
    min_size=1,
    max_size=30,
)


def check_every_byte_once(parts: list[PlannedPart], sizes: list[int]) -> None:
    """Compare the slices, in order, with the sources."""
    places = [(some.source, some.start, some.end) for part in parts for some in part.slices]
    assert all(start < end for _, start, end in places)
    assert places[0][:2] == (0, 0)
    assert (places[-1][0], places[-1][2]) == (len(sizes) - 1, sizes[-1])
    for (source, _, end), (next_source, start, _) in pairwise(places):
        assert (next_source, start) in {(source, end), (source + 1, 0)}
        assert next_source == source or end == sizes[source]


@settings(max_examples=400)
@given(sizes=SIZES)
def test_copies__every_part_is_legal_and_has_every_byte_once(sizes: list[int]) -> None:
    """From 5 MiB, but for the last, to 5 GiB; a copy is of one source; a join is short."""
    parts = plan_copies(sizes, MIN_PART)
    check_every_byte_once(parts, sizes)
    assert all(MIN_PART <= part.size <= MAX_PART for part in parts[:-1])
    for part in parts:
        if part.copied:
            assert len(part.slices) == 1
            assert MIN_PART <= part.size <= COPIED
        else:
            assert part.size < 3 * MIN_PART, "a join is held in memory"


@given(sizes=SIZES)
def test_equal__all_parts_but_the_last_are_of_one_size(sizes: list[int]) -> None:
    """R2 requires it; nothing is copied then."""
    parts = plan_equal(sizes, MIN_PART)
    check_every_byte_once(parts, sizes)
    assert len({part.size for part in parts[:-1]}) <= 1
    assert parts[-1].size <= parts[0].size
    assert not any(part.copied for part in parts)
    assert len(parts) <= MAX_PARTS


def test_the_head_of_a_long_piece_completes_the_short_ones_before_it() -> None:
    """By a ranged GET of the missing bytes, not of the piece; the rest is copied."""
    first, second = plan_copies([10, 3 * MIB, 100 * MIB], MIN_PART)
    assert [(some.source, some.start, some.end) for some in first.slices] == [
        (0, 0, 10),
        (1, 0, 3 * MIB),
        (2, 0, 2 * MIB - 10),
    ]
    assert second.copied
    assert second.size == 98 * MIB + 10


def test_a_piece_is_copied_in_slices_of_about_equal_size() -> None:
    """Then many copies run at once, and none outlasts a read timeout."""
    sizes = [part.size for part in plan_copies([GIB + 4], MIN_PART)]
    assert len(sizes) == 5
    assert max(sizes) - min(sizes) <= 1


def test_ten_thousand_parts_hold_about_the_largest_object_of_s3() -> None:
    """Pieces of 1,000 parts of 5 MiB each, 45 TiB in all."""
    sizes = [1000 * MIN_PART] * (45 * TIB // (1000 * MIN_PART))
    parts = plan_copies(sizes, MIN_PART)
    assert len(parts) <= MAX_PARTS
    assert max(part.size for part in parts) <= MAX_PART


def test_many_short_pieces_are_joined_into_longer_parts() -> None:
    """15,000 pieces of 6 MiB would be too many parts one by one."""
    parts = plan_copies([6 * MIB] * 15_000, MIN_PART)
    assert len(parts) <= MAX_PARTS
    check_every_byte_once(parts, [6 * MIB] * 15_000)


def test_a_manifest_beyond_s3s_limits_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is copied."""
    monkeypatch.setattr(part_plan, "MAX_PARTS", 10)
    with pytest.raises(ManifestTooLongError, match="S3 allows 10"):
        plan_copies([GIB] * 11, MIN_PART)
