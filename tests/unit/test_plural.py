"""A number and its noun."""

from __future__ import annotations

import pytest

from processor.plural import plural


@pytest.mark.parametrize(
    ("number", "words", "expected"),
    [
        (0, ("key",), "0 keys"),
        (1, ("key",), "1 key"),
        (2000, ("key",), "2,000 keys"),
        (1, ("line goes", "lines go"), "1 line goes"),
        (2, ("line goes", "lines go"), "2 lines go"),
    ],
)
def test_one_takes_the_singular(number: int, words: tuple[str, ...], expected: str) -> None:
    """A reader stumbles over "1 keys"."""
    assert plural(number, *words) == expected
