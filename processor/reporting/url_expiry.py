"""Says when a manifest's first URLs are dead, or will be before its last is written: early, and honestly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from processor.reporting.telemetry import Telemetry

EXPIRED, EXPIRING = "urls_expired", "urls_expiring"
ISO = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Expiry:
    """
    When the first URL of a run dies.

    :param at:             Earliest death of any URL signed so far, UTC.
    :param expiry_seconds: Life that was asked for.
    """

    telemetry: Telemetry
    at: datetime | None
    expiry_seconds: int

    def at_checkpoint(self, now: datetime, needed: timedelta) -> dict[str, str]:
        """
        Warn at a checkpoint.

        :param needed: How long the chain still goes on, estimated.
        :return: What the answer says more: ``warning``, or nothing.
        """
        if self.at is None or self.at > now + needed:
            return {}
        self.telemetry.count(UrlsExpiring=1)
        return self._warn(EXPIRED if self.at <= now else EXPIRING, self.at)

    def at_end(self, now: datetime) -> dict[str, str]:
        """Warn of a manifest that is finished with dead URLs in it; return what the answer says more."""
        if self.at is None or self.at > now:
            return {}
        self.telemetry.count(ExpiredManifests=1)
        return self._warn(EXPIRED, self.at)

    def _warn(self, warning: str, dies_at: datetime) -> dict[str, str]:
        self.telemetry.warning(warning, expires_at=dies_at.strftime(ISO), expiry_seconds=self.expiry_seconds)
        return {"warning": warning}


def still_needed(seconds: float, written: int, count: int, last_count: int | None) -> timedelta:
    """
    Estimate how long a chain goes on: at the pace of this hop, to as many keys as the job's last manifest has.

    At least once more as long as this hop, which hands over because its time is up.

    :param seconds:    How long this hop took.
    :param written:    Keys that it wrote.
    :param count:      Keys written so far.
    :param last_count: Keys in the job's last manifest, if there is one.
    """
    missing = max(0, (last_count or 0) - count)
    return timedelta(seconds=seconds * max(1.0, missing / written if written else 0.0))
