"""What is known ahead of the order: each key once, whichever page told it."""

from __future__ import annotations

import pytest

from processor.listing.plan.listed_range import DisagreementError, ListedRange
from processor.listing.plan.range_set import RangeSet

KEYS = [f"{n:03d}" for n in range(100)]


def page(after: int, to: int | None, *, guessed: bool = False, start: str | None = None) -> ListedRange:
    """Make a response that tells the keys after one number, up to another or to the end."""
    keys = KEYS[after + 1 : None if to is None else to + 1]
    return ListedRange(start or KEYS[after], keys, None if to is None else KEYS[to], guessed)


def test_what_two_pages_tell_is_held_once() -> None:
    """The one that comes first in order keeps it, whichever came first."""
    cover = RangeSet(10)
    assert cover.keep(page(20, 30)) == (10, 0)
    assert cover.keep(page(25, 35)) == (5, 0)
    assert cover.keep(page(15, 25)) == (10, 5)
    assert cover.held == 20
    assert [(stretch.after, stretch.to) for stretch in cover.known] == [("015", "025"), ("025", "030"), ("030", "035")]
    assert cover.through("015") == ("035", 20)


def test_a_page_takes_the_place_of_all_that_it_covers() -> None:
    """A short rest of another page is not worth keeping apart."""
    cover = RangeSet(10)
    cover.keep(page(10, 20))
    cover.keep(page(18, 28))
    assert cover.keep(page(19, 29)) == (9, 8)
    assert cover.keep(page(5, 29)) == (24, 19)
    assert [(stretch.after, stretch.to) for stretch in cover.known] == [("005", "029")]
    assert cover.held == 24
    assert cover.keep(page(7, 17)) == (0, 0)


def test_a_guess_is_loose_until_a_page_before_it_joins() -> None:
    """Then it is known what it was worth."""
    cover = RangeSet(10)
    cover.send("020", guessed=True)
    assert cover.loose == 1
    cover.keep(page(20, 30, guessed=cover.landed("020")))
    assert cover.loose == 1
    cover.keep(page(10, 20))
    assert cover.loose == 0


def test_that_nothing_follows_a_guess_is_not_taken_over_by_the_last_page() -> None:
    """A page that passes the guess says that there is more; the end must be asked for after its last key."""
    cover = RangeSet(10)
    cover.keep(ListedRange("028x", [], None, loose=True))
    cover.keep(page(18, 28))
    assert cover.next("018") is not None
    assert cover.through("028") == ("028", 0)
    assert cover.keep(page(28, 29)) == (1, 0)
    assert cover.known[-1].to == "029"


def test_pages_that_contradict_each_other_are_found_out_wherever_they_meet() -> None:
    """One left keys out; a few may have gone meanwhile, but not most of them."""
    cover = RangeSet(10)
    cover.keep(page(10, 20))
    with pytest.raises(DisagreementError):
        cover.keep(ListedRange("012", ["019", "020", "021"], "021"))


def test_the_pages_nearest_before_a_place_have_no_gap_between_them() -> None:
    """They tell how densely the keys lie there."""
    cover = RangeSet(10)
    for after, to in ((10, 20), (30, 40), (40, 50), (50, 55)):
        cover.keep(page(after, to))
    assert cover.nearest("060", 3) == [KEYS[31:41], KEYS[41:51], KEYS[51:56]]
    assert cover.nearest("052", 3) == [KEYS[31:41], KEYS[41:51]]
    assert cover.nearest("025", 3) == [KEYS[11:21]]
    assert cover.nearest("015", 3) == []
