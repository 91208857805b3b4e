"""How many connections bring one large object."""

from __future__ import annotations

from threading import Event, Semaphore
from typing import TYPE_CHECKING

from presign_siblings.manifests.parts import PART, STREAMS, Parts, Slots

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_others_help_once_one_of_them_has_shown_that_the_server_knows_ranges() -> None:
    """Before that one alone tries; after it, as many as an object may have."""
    knows_ranges, is_shown, may_end = Event(), Semaphore(0), Event()

    def bring(first: int, end: int, on_their_way: Callable[[], None]) -> None:  # noqa: ARG001 - as Bring calls it
        knows_ranges.wait(10)
        on_their_way()
        is_shown.release()
        may_end.wait(10)

    parts = Parts(0, 40 * PART, bring, lambda *_: None, Slots(40))
    for _ in range(2 * STREAMS):
        parts.wrote(1)
    assert len(parts._threads) == 1
    knows_ranges.set()
    assert is_shown.acquire(timeout=10)
    for _ in range(2 * STREAMS):
        parts.wrote(1)
    assert len(parts._threads) == STREAMS - 1
    may_end.set()
    parts.end()
