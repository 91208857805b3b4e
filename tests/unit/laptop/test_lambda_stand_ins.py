"""What a person at a desk reads of a hop, in place of the function's log."""

from __future__ import annotations

from presign_siblings.laptop.lambda_stand_ins import ProgressTelemetry
from presign_siblings.laptop.progress import Progress


def test_a_listing_that_waits_says_why_and_that_it_goes_on() -> None:
    """It may take a while: S3 asks to slow down for minutes, and nothing moves on the screen."""
    told: list[Progress] = []
    ProgressTelemetry(told.append).listing_paused("cannot list s3://reports/in/: S3 answered SlowDown")
    assert told == [Progress(warning="cannot list s3://reports/in/: S3 answered SlowDown; trying again")]
