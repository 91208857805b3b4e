"""What a process of a run has left, when it stops for one that has no work."""

from __future__ import annotations

from itertools import count, pairwise
from unittest.mock import patch

from presign_siblings.laptop.local_fan_out import can_be_divided, parts
from presign_siblings.laptop.processes import Idle
from processor.job import Checkpoint, EncodedBytes, KeyRange, Piece, WrittenRange

WRITTEN = EncodedBytes(10, 3, 7)
READERS = (
    WrittenRange(KeyRange(0, "b", "d", "d", None, done=True), WRITTEN, (Piece("one", 10),)),
    WrittenRange(KeyRange(3, "d", "g", "e", None, done=False), WRITTEN, (Piece("two", 10),)),
    WrittenRange(KeyRange(1, "g", "k", "g", None, done=False), EncodedBytes(), ()),
)


def stopped(*ranges: WrittenRange) -> Checkpoint:
    """Return where a range of a run has stopped."""
    return Checkpoint(job_key="job", job_id="run", ranges=ranges)


def test_the_readers_places_divide_what_is_left() -> None:
    """The bytes stay with the keys that they are of; the parts partition the range, under numbers of their own."""
    found = list(parts("m", stopped(*READERS), count(8)))
    assert [(each.range.after, each.range.upto, each.range.done) for each in found] == [
        ("b", "d", True),
        ("d", "e", True),
        ("e", "g", False),
        ("g", "m", False),
    ]
    assert [each.range.number for each in found] == [8, 9, 10, 11]
    assert [[piece.key for piece in each.pieces] for each in found] == [["one"], ["two"], [], []]
    assert all(each.encoded == (WRITTEN if each.range.done else EncodedBytes()) for each in found)
    assert all(before.range.upto == after.range.after for before, after in pairwise(found))


def test_a_listing_by_tokens_is_left_to_who_began_it() -> None:
    """Its server does not list from a key; and of a range that is done nothing is left."""
    token = WrittenRange(KeyRange(0, "b", "d", "c", "token", done=False), WRITTEN, ())
    assert [can_be_divided(stopped(*each)) for each in (READERS, (token,), READERS[:1])] == [True, False, False]


def test_a_process_without_work_waits_a_little_for_the_others() -> None:
    """Its time begins anew when it gets some."""
    with patch("time.monotonic", side_effect=[1.0, 1.0, 2.5, 3.5, 4.0, 5.0, 5.0]):
        idle = Idle(2, patience=2.0)
        assert [idle.long(busy) for busy in (1, 1, 1, 2, 1)] == [False, False, True, False, False]
