"""What a local run shows of a hop, in place of the function's log."""

from __future__ import annotations

import pytest

from presign_siblings.laptop.lambda_stand_ins import ProgressTelemetry
from presign_siblings.laptop.progress import Progress


@pytest.mark.parametrize("paused", ["listing_paused", "writing_paused"])
def test_a_waiting_run_shows_the_cause_and_that_it_will_continue(paused: str) -> None:
    """S3 may ask to slow down for minutes, in which nothing moves on the screen."""
    shown: list[Progress] = []
    getattr(ProgressTelemetry(shown.append, set()), paused)("cannot list s3://reports/in/: S3 answered SlowDown")
    assert shown == [Progress(warning="cannot list s3://reports/in/: S3 answered SlowDown; trying again")]


def test_links_that_die_during_a_run_are_reported_once_and_in_words() -> None:
    """Each hop of a run found the same first links, and printed ``urls_expired: expires_at ...`` every 20 seconds."""
    shown, told = list[Progress](), set[str]()
    for _ in range(3):
        hop = ProgressTelemetry(shown.append, told)
        hop.warning("urls_expired", expires_at="2026-04-01T06:30:15Z", expiry_seconds=900)
    (said,) = shown
    assert said.warning is not None
    assert said.warning.startswith("the first links died at 2026-04-01T06:30:15Z")


@pytest.mark.parametrize("name", ["parked", "divided_unseen"])
def test_what_says_nothing_at_a_terminal_is_not_shown(name: str) -> None:
    """The answer names the reason of a stop; how ranges were divided matters to who reads a function's log."""
    shown: list[Progress] = []
    ProgressTelemetry(shown.append, set()).warning(name, reason="stopped", ranges=8)
    assert not shown


def test_a_reason_is_shown_as_it_is() -> None:
    """It may hold braces."""
    shown: list[Progress] = []
    ProgressTelemetry(shown.append, set()).warning("listing_fallback", reason="s3://b/{x} lists a twice")
    assert shown == [Progress(warning="listing_fallback: s3://b/{x} lists a twice")]
