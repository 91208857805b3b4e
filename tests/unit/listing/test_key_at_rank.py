"""Guesses at keys further on: near where the keys so far say, and always fit to start after."""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.keysets import EVEN, SKEWED
from processor.listing.interpolation.density import Density
from processor.listing.interpolation.key_at_rank import MOST_BYTES, KeyPredictor
from processor.listing.interpolation.key_model import KeyModel

if TYPE_CHECKING:
    from collections.abc import Sequence


def learnt(keys: Sequence[str], pages: int, page_size: int = 1000, prefix: str = "") -> KeyPredictor:
    """Learn the first pages of some keys."""
    guesses = KeyPredictor(prefix)
    for page in range(pages):
        guesses.learn(keys[page * page_size : (page + 1) * page_size])
    return guesses


@pytest.mark.parametrize("name", EVEN)
def test_even_keys_are_guessed_to_a_tenth_of_a_page(name: str) -> None:
    """After some pages: that is what lets requests lie side by side."""
    keys = EVEN[name](60_000)
    guesses = learnt(keys, 20)
    missed = []
    for ahead in (900, 2_000, 5_000):
        guess = guesses.after(keys[19_999], ahead)
        assert guess is not None
        missed.append((bisect_right(keys, guess) - 20_000 - ahead) / ahead)
    assert sorted(map(abs, missed))[1] <= 0.1, missed


def test_a_guess_goes_on_from_a_guess() -> None:
    """The next one's distance counts from it, though it is not a key and nothing after it was seen."""
    keys = EVEN["numbered"](60_000)
    guesses = learnt(keys, 20)
    place: str | None = keys[19_999]
    for step in range(1, 12):
        assert place is not None
        place = guesses.after(place, 1000)
        assert place is not None
        assert abs(bisect_right(keys, place) - 20_000 - step * 1000) <= 50


def test_folders_turn_at_their_last_file_and_months_at_their_last_day() -> None:
    """What a name begins with says what may follow: there is no day 39, and no hour 27."""
    keys = SKEWED["times"](120_000)
    guesses = learnt(keys, 60)
    guess = guesses.after(keys[59_999], 500)
    assert guess is not None
    assert guess[: len("logs/2026/01/02")] in {key[: len("logs/2026/01/02")] for key in keys}


def test_nothing_is_guessed_from_nothing() -> None:
    """Without a page, or after the prefix alone."""
    assert KeyPredictor("").after("a", 1000) is None
    assert learnt(["in/a", "in/b"], 1, prefix="in/").after("in/", 1000) is None


@settings(max_examples=300)
@given(
    keys=st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=60),
    count=st.floats(1, 200),
    prefix=st.sampled_from(["", "p/"]),
)
def test_a_guess_is_fit_to_start_after(keys: set[str], count: float, prefix: str) -> None:
    """After the key that it continues from, under the prefix, and nothing that XML or S3 would refuse."""
    ordered = sorted(prefix + key for key in keys)
    guess = learnt(ordered, 6, 10, prefix).after(ordered[min(59, len(ordered) - 1)], count)
    if guess is not None:
        assert guess.startswith(prefix)
        assert len(guess.encode()) <= MOST_BYTES
        own = set(guess) - set("".join(ordered))
        assert own <= set("0123456789")
        assert not any(character < " " or character in "\ufffe\uffff" for character in set(guess) - set(max(ordered)))


def test_long_keys_give_no_longer_guesses() -> None:
    """S3 refuses a key of more than 1,024 bytes; one that is cut lies a little nearer."""
    keys = [f"{'é' * 505}{n:05d}" for n in range(99_999, 3_000, -7)][::-1]
    for count in (10, 900, 5_000):
        guess = learnt(keys, 5).after(keys[4_999], count)
        assert guess is None or (len(guess.encode()) <= MOST_BYTES and guess > keys[4_999])


def test_memory_and_time_stay_bounded_whatever_the_names_are() -> None:
    """Names of thousands of different letters, and stairs of keys of which each ends one letter earlier."""
    wide = sorted({chr(0x4E00 + n * 7919 % 20_000) + chr(0x4E00 + n * 104_729 % 20_000) * 3 for n in range(40_000)})
    stairs = sorted("a" * (1000 - n) + "b" for n in range(1000))
    space, trail = KeyModel(""), Density(KeyModel(""))
    begun = time.process_time()
    for page in (["a" * 1001], stairs, *(wide[start : start + 1000] for start in range(0, len(wide), 1000))):
        space.learn(page)
        trail.learn(page)
        trail.totals()
    assert time.process_time() - begun < 20, "a hang, not a measurement"
    assert len(space.wheels) <= 4096
