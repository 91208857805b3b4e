"""Every field in seconds also takes a duration as people write it."""

from __future__ import annotations

from typing import Any

import pytest

from processor.errors import InvalidEventError
from processor.job import DeploymentSettings, times

WEEK = 604_800


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (900, 900),
        ("900", 900),
        ("90s", 90),
        ("15m", 900),
        ("12h", 43_200),
        ("7d", WEEK),
        ("1w", WEEK),
        ("7 D", WEEK),
        ("P7D", WEEK),
        ("P1W", WEEK),
        ("PT12H", 43_200),
        ("P1DT2H3M4S", 93_784),
        ("pt15m", 900),
    ],
)
def test_duration__is_read_as_people_and_iso_8601_write_it(written: Any, seconds: int) -> None:
    """A number alone is in seconds."""
    assert times.duration("expiry_seconds", written, 1, WEEK) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "d",
        "7",
        "8d",
        "-1h",
        "1.5h",
        "1h30",
        "P",
        "PT",
        "P1",
        "P1M",
        "P1Y",
        "P1DT",
        "T1H",
        "1 month",
        "1M",  # rclone's month: a minute's links, or the objects of the last minute
        "7dd",
        True,
        1.5,
        None,
    ],
)
def test_duration__that_is_invalid_or_out_of_range_is_refused_with_the_rule(written: Any) -> None:
    """A month has no fixed length; the message shows how durations are written."""
    with pytest.raises(InvalidEventError, match="a duration such as") as refused:
        times.duration("expiry_seconds", written, 60, WEEK)
    assert refused.value.field == "expiry_seconds"


def test_the_deployments_settings_take_durations_too() -> None:
    """``12h`` is how an operator writes it."""
    settings = DeploymentSettings.from_environment({"MAX_JOB_SECONDS": "12h", "SHUTDOWN_PERIOD": "PT20S"}, {})
    assert (settings.max_job_seconds, settings.shutdown_period) == (43_200, 20.0)
    with pytest.raises(InvalidEventError, match="SHUTDOWN_PERIOD") as refused:
        DeploymentSettings.from_environment({"SHUTDOWN_PERIOD": "soon"}, {})
    assert "soon" in str(refused.value)
