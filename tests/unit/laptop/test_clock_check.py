"""A clock that goes wrong during a run is reported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from presign_siblings.laptop.clock_check import ClockCheck

MINUTE, HOUR = 60, 3600


def answer(seconds: float) -> SimpleNamespace:
    """Return an answer whose server's clock is so many seconds ahead of this machine's."""
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    return SimpleNamespace(headers={"date": format_datetime(date, usegmt=True)})


@pytest.mark.parametrize(
    ("differences", "reported"),
    [
        ([0, 0, 14 * MINUTE, 14 * MINUTE], ["14 min behind"]),
        ([0, -HOUR], []),  # this answer lay in its connection while the machine slept
        ([-HOUR, -HOUR], ["1 h ahead of"]),
        ([0, -HOUR, HOUR], ["1 h behind"]),
        ([1, -1, 30], []),
    ],
)
def test_a_clock_that_falls_behind_during_a_run_is_reported_once(differences: list[float], reported: list[str]) -> None:
    """
    A virtual machine slept for 14 minutes of a run: all its links of 15 minutes were dead, and nothing said so.

    S3 accepts requests that are up to 15 minutes off.
    """
    said = list[str]()
    check = ClockCheck(said.append)
    for seconds in differences:
        check.on_answer(http_response=answer(seconds))
    assert [text.partition("clock is ")[2].partition(" the server")[0] for text in said] == reported
