"""How densely keys lie: what has been seen under each beginning says how many lie there in all."""

from __future__ import annotations

import pytest

from processor.listing.interpolation.character_stats import CharacterStats, Distribution
from processor.listing.interpolation.density import Density
from processor.listing.interpolation.key_model import KeyModel


def learnt(keys: list[str], *, page_size: int = 100) -> Density:
    """Learn keys page by page."""
    space = KeyModel("")
    trail = Density(space)
    for start in range(0, len(keys), page_size):
        space.learn(keys[start : start + page_size])
        trail.learn(keys[start : start + page_size])
    return trail


def test_half_a_folder_tells_its_size() -> None:
    """Its numbers continue as they have begun, however many keys the folders before it had."""
    trail = learnt([f"{folder:03d}/{n:03d}.pdf" for folder in range(3) for n in range(1000)][:2500])
    assert trail.totals()[len("002/")] == pytest.approx(1000, rel=0.1)
    few = [f"{folder:03d}/{n:03d}.pdf" for folder in range(200) for n in range(0, 1000, 20)]
    trail = learnt([*few, *(f"200/{n:03d}.pdf" for n in range(500))])
    assert trail.totals()[len("200/")] == pytest.approx(1000, rel=0.1)


def test_what_lies_further_on_starts_from_what_is_thought_of_its_beginnings() -> None:
    """A page of a folder never seen tells how large that is, whatever was thought."""
    space = KeyModel("")
    for folder in range(20):
        space.learn([f"{folder:02d}/{n:03d}" for n in range(0, 1000, 10)])
    ahead = Density(space)
    ahead.learn([f"50/{n:03d}" for n in range(400)])
    thought = [10_000.0, 1000.0, 100.0]
    assert ahead.totals(thought)[len("50/")] == pytest.approx(1000, rel=0.1)


def test_shares_that_differ_by_chance_stay_even_and_others_are_learnt() -> None:
    """Random digits are even; of the tens of a month's days the last has two."""
    even, uneven = CharacterStats(), CharacterStats()
    for turn in range(12):
        even.characters.update("0123")
        even.ended({"0123"[turn % 4]: 5, "0": 3, "1": 3, "2": 3, "3": 3} | {"0123"[turn % 4]: 4})
        uneven.characters.update("0123")
        uneven.ended({"0": 9, "1": 10, "2": 10, "3": 1 + turn % 2})
    assert Distribution.of(list("0123"), even, None).shares == pytest.approx([0.25] * 4)
    assert Distribution.of(list("0123"), uneven, None).shares == pytest.approx([0.295, 0.325, 0.325, 0.055], abs=0.03)


def test_what_a_beginning_never_has_is_hardly_looked_for() -> None:
    """After a 3 there is no day 39, though other tens have a 9."""
    general, close = CharacterStats(), CharacterStats()
    for _ in range(4):
        general.characters.update("019")
        general.ended({"0": 4, "1": 4, "9": 4})
        close.characters.update("01")
        close.ended({"0": 4, "1": 4})
    shares = Distribution.of(["0", "1", "9"], general, close).shares
    assert shares[2] < 0.02
    assert shares[0] == pytest.approx(shares[1])


def test_few_characters_of_many_leave_gaps() -> None:
    """Where a beginning has one of ten names, the next one that exists lies some further on."""
    wheel = CharacterStats()
    for digit in "0123456789":
        wheel.characters.add(digit)
        wheel.ended({digit: 8})
    assert wheel.gap(10) == pytest.approx(10)
    full = CharacterStats()
    for _ in range(5):
        full.ended(dict.fromkeys("0123456789", 2))
    assert full.gap(10) == 0
