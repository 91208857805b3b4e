"""Many links that are refused for one reason say something of those to come."""

from __future__ import annotations

import pytest

from presign_siblings.manifests.streak import ARCHIVED, Streak


@pytest.mark.parametrize(("code", "length"), [("ExpiredToken", Streak.LINKS), (ARCHIVED, Streak.OBJECTS)])
def test_equal_refusals_in_a_row_end_the_tries_for_good(code: str, length: int) -> None:
    """What was under way then, and comes or is refused otherwise, changes nothing."""
    streak, patient = Streak(), Streak(patient=True)
    for _ in range(length):
        assert not streak.is_hopeless
        streak.refused(code)
        patient.refused(code)
    streak.came()
    streak.refused("SlowDown")
    assert streak.is_hopeless
    assert str(streak) == f"{length} in a row were refused with {code}"
    assert not patient.is_hopeless


def test_an_object_that_comes_or_another_refusal_begins_a_new_row() -> None:
    """Links as such are not dead then."""
    for interrupt in (Streak.came, lambda streak: streak.refused("NoSuchKey")):
        streak = Streak()
        for _ in range(Streak.LINKS - 1):
            streak.refused("AccessDenied")
        interrupt(streak)
        streak.refused("AccessDenied")
        assert not streak.is_hopeless
