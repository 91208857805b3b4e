"""Gaps that stay open: guessed into as often as they have outlasted the thought that they close, and no oftener."""

from __future__ import annotations

import pytest

from processor.listing.interpolation.key_model import KeyModel
from processor.listing.plan.gap_splitter import GapSplitter
from processor.listing.plan.listed_range import ListedRange
from processor.listing.plan.range_set import RangeSet

BEHIND = "in/b/f0001"  # where what is known continues


def gaps(keys: list[str], *flying: str) -> GapSplitter:
    """Return the gaps after a page that was taken in order, while requests are under way."""
    space, cover = KeyModel("in/"), RangeSet(len(keys))
    space.learn([*keys, "in/b/f0000"])
    cover.previous = ListedRange("in/", keys, keys[-1], loose=False)
    for place in flying:
        cover.send(place)
    return GapSplitter(cover, space)


def numbered(start: int = 100) -> list[str]:
    """Return a page of numbered files."""
    return [f"in/a/f{n:04d}.pdf" for n in range(start, start + 10)]


def test_a_gap_is_believed_to_close_until_a_page_did_not_close_it() -> None:
    """Then the numbers are counted on from the page under way, by as many keys as are asked for."""
    found = gaps(numbered(), "in/a/f0109.pdf")
    assert found.inside("in/a/f0109.pdf", BEHIND, 9) is None
    found.landed(BEHIND, "in/a/f0109.pdf")
    found.landed(BEHIND, "in/a/f0119.pdf")
    assert found.inside("in/a/f0109.pdf", BEHIND, 9) == "in/a/f0118"


def test_no_more_is_under_way_in_a_gap_than_pages_it_has_outlasted() -> None:
    """A folder that ends after all costs no more than it brought."""
    found = gaps(numbered(), "in/a/f0109.pdf", "in/a/f0118", BEHIND)
    for pages in range(1, 4):
        found.landed(BEHIND, f"in/a/f{pages:04d}.pdf")
        assert (found.inside("in/a/f0118", BEHIND, 9) is not None) == (pages > 2)


@pytest.mark.parametrize("last", [None, BEHIND, "in/c"])
def test_a_page_that_closes_a_gap_ends_the_doubt(last: str | None) -> None:
    """Another that comes to lie before the same start begins again."""
    found = gaps(numbered())
    found.landed(BEHIND, "in/a/f0109.pdf")
    found.landed(BEHIND, last)
    assert found.inside("in/a/f0109.pdf", BEHIND, 9) is None


def test_a_gap_that_the_order_has_passed_is_forgotten() -> None:
    """Memory does not grow with the listing."""
    found = gaps(numbered())
    found.landed(BEHIND, "in/a/f0109.pdf")
    found.passed(BEHIND)
    assert found.inside("in/a/f0109.pdf", BEHIND, 9) is None


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (numbered(), "in/a/f9995"),  # the digits do not suffice
        (numbered(), "in/b/f0000"),  # another folder
        (["in/a/f99.pdf", "in/a/f990.pdf"], "in/a/f991.pdf"),  # numbers of different lengths
        (["in/a/x.pdf", "in/a/y.pdf"], "in/a/z.pdf"),
        (["in/a/f0001.pdf"], "in/a/f0002.pdf"),
    ],
)
def test_what_cannot_be_counted_is_not(keys: list[str], place: str) -> None:
    """Nor is anything guessed at or after the start that ends the gap."""
    found = gaps(keys)
    found.landed("in/a/~", keys[-1])
    assert found.inside(place, "in/a/~", 9) is None


def test_where_nothing_is_numbered_a_stubborn_gap_is_cut_in_half() -> None:
    """Between the characters that keys have there; only after more pages, for it says less."""
    keys = [f"in/{letter}/word" for letter in "abcdefghi"]
    found = gaps(keys)
    for pages in range(1, 6):
        found.landed("in/i/", "in/c/word")
        assert found.inside("in/c/word", "in/i/", 9) == ("in/f" if pages > 3 else None)
    assert found.inside("in/i/word", "in/i/~", 9) is None, "nothing lies between"
