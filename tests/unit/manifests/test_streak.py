"""Many refusals for one reason predict those of the remaining links."""

from __future__ import annotations

import pytest

from presign_siblings.manifests.streak import Streak
from processor.causes import ARCHIVED


@pytest.mark.parametrize(("code", "length"), [("ExpiredToken", Streak.LINKS), (ARCHIVED, Streak.OBJECTS)])
def test_equal_refusals_in_a_row_end_the_download_for_good(code: str, length: int) -> None:
    """Requests already under way change nothing, whether they succeed or are refused for another reason."""
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


def test_a_success_or_another_refusal_starts_a_new_row() -> None:
    """The links as such still work."""
    for interrupt in (Streak.came, lambda streak: streak.refused("NoSuchKey")):
        streak = Streak()
        for _ in range(Streak.LINKS - 1):
            streak.refused("AccessDenied")
        interrupt(streak)
        streak.refused("AccessDenied")
        assert not streak.is_hopeless
