"""What a local run shows of a hop, in place of the function's log."""

from __future__ import annotations

import pytest

from presign_siblings.laptop.lambda_stand_ins import ProgressTelemetry
from presign_siblings.laptop.progress import Progress


@pytest.mark.parametrize("paused", ["listing_paused", "writing_paused"])
def test_a_waiting_run_shows_the_cause_and_that_it_will_continue(paused: str) -> None:
    """S3 may ask to slow down for minutes, in which nothing moves on the screen."""
    shown: list[Progress] = []
    getattr(ProgressTelemetry(shown.append), paused)("cannot list s3://reports/in/: S3 answered SlowDown")
    assert shown == [Progress(warning="cannot list s3://reports/in/: S3 answered SlowDown; trying again")]
