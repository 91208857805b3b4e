"""A middle between two keys, by the characters of the keys seen."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from processor.fanout.key_line import KeyLine

KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs"]), max_size=12)


@given(st.sets(KEYS, min_size=2))
def test_a_middle_is_between_its_keys_or_does_not_exist(keys: set[str]) -> None:
    """Whatever the keys: the keys beside a cut outside the gap would be in no range."""
    line, ordered = KeyLine(3), ["in/" + key for key in sorted(keys)]
    line.learn(ordered)
    for low, high in [*pairwise(ordered), (ordered[0], None)]:
        cut = line.ahead(low, high, 0.5)
        assert cut is None or (low < cut and (high is None or cut < high))


@given(st.sets(KEYS, min_size=2))
def test_places_have_the_order_of_the_keys(keys: set[str]) -> None:
    """The line is monotonic."""
    line, ordered = KeyLine(3), ["in/" + key for key in sorted(keys)]
    line.learn(ordered)
    places = [line.at(key) for key in ordered]
    assert places == sorted(places)
    assert places[-1] <= line.at(None)


def test_the_middle_of_two_numbers_is_about_halfway() -> None:
    """So each sample halves the unknown gap."""
    line = KeyLine(3)
    line.learn(["in/0000.pdf", "in/0999.pdf"])
    assert "in/04" <= str(line.ahead("in/0000.pdf", "in/0999.pdf", 0.5)) <= "in/06"
