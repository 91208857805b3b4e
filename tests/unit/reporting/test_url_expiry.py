"""Whether a manifest's first URLs outlive its last one."""

from __future__ import annotations

from datetime import timedelta

from processor.reporting import Expiry, Telemetry, still_needed
from tests.fakes import NOW


def test_a_hop_of_few_keys_among_very_many_causes_only_a_warning() -> None:
    """At its rate the end is beyond the last possible date: its hand-over raised an OverflowError, at each try."""
    needed = still_needed(890.0, written=1, count=1, last_count=1_000_000_000)
    expiry = Expiry(Telemetry("Test", "presign", "request"), NOW + timedelta(days=7), 604_800)
    assert expiry.at_checkpoint(NOW, needed) == {"warning": "urls_expiring"}
