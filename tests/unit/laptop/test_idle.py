"""A process without work makes the others stop for it, once that is worth it."""

from __future__ import annotations

from math import inf
from unittest.mock import patch

from presign_siblings.laptop.idle import Idle


def test_a_process_without_work_waits_a_little_for_the_others() -> None:
    """Its waiting time starts again when it gets work."""
    with patch("time.monotonic") as now:
        idle, found = Idle(2, patience=2.0), []
        for now.return_value, busy in ((1.0, [1]), (2.5, [1]), (3.0, [1]), (4.0, [1, 2]), (5.0, [1])):
            found.append((idle.long(busy), idle.left))
    assert found == [(False, 2.0), (False, 0.5), (True, 0.0), (False, inf), (False, 2.0)]


def test_a_process_without_work_does_not_wait_for_one_that_has_just_begun() -> None:
    """Ranges took eight seconds so far: one that began a second ago has more than the patience left."""
    with patch("time.monotonic") as now:
        idle, found = Idle(2, patience=2.0), []
        for now.return_value, busy in ((0.0, [4, 3]), (8.0, [4, 2]), (9.0, [2]), (11.9, [2]), (12.0, [2])):
            found.append(idle.long(busy))
    assert found == [False, False, True, True, True]
    with patch("time.monotonic") as now:
        idle, found = Idle(2, patience=2.0), []
        for now.return_value, busy in ((0.0, [4, 3]), (8.0, [4, 2]), (14.0, [2]), (15.0, [2]), (16.0, [2])):
            found.append(idle.long(busy))
    assert found == [False, False, False, False, True], "the process waits for a range that is half done"
