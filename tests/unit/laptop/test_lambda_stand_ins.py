"""What a person at a desk reads of a hop, in place of the function's log."""

from __future__ import annotations

import pytest

from presign_siblings.laptop.lambda_stand_ins import ProgressTelemetry
from presign_siblings.laptop.progress import Progress


@pytest.mark.parametrize("paused", ["listing_paused", "writing_paused"])
def test_a_run_that_waits_says_why_and_that_it_goes_on(paused: str) -> None:
    """It may take a while: S3 asks to slow down for minutes, and nothing moves on the screen."""
    told: list[Progress] = []
    getattr(ProgressTelemetry(told.append), paused)("cannot list s3://reports/in/: S3 answered SlowDown")
    assert told == [Progress(warning="cannot list s3://reports/in/: S3 answered SlowDown; trying again")]
