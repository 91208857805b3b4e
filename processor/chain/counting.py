"""What a hop reports of its pages, and writes down in its lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processor.job import Counts
    from processor.ledger import Lease
    from processor.reporting import Telemetry


class Counting:
    """
    Observes the pages, and lets the lease write down how many keys are written.

    :param telemetry: Logs what is observed.
    """

    def __init__(self, telemetry: Telemetry, lease: Lease) -> None:
        self._telemetry, self._lease = telemetry, lease

    def page(self, counts: Counts, listed: int) -> None:
        """Note that a page is written."""
        self._lease.progress(counts.count)
        self._telemetry.page(counts, listed)

    def presign_error(self, key: str, reason: str) -> None:
        """Note that one key could not be signed."""
        self._telemetry.presign_error(key, reason)

    def listing_fallback(self, reason: str) -> None:
        """Note that the listing continues with one request after the other."""
        self._telemetry.listing_fallback(reason)

    def listing_paused(self, reason: str) -> None:
        """Note that the listing continues after a pause."""
        self._telemetry.listing_paused(reason)
