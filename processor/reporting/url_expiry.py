"""Warns when a manifest's first URLs are dead, or will be dead before its last URL is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from processor.instant import ISO

if TYPE_CHECKING:
    from datetime import datetime

    from processor.reporting.telemetry import Telemetry

EXPIRED, EXPIRING = "urls_expired", "urls_expiring"


@dataclass(frozen=True, slots=True)
class Expiry:
    """
    When the first URL of a run expires.

    :param at:             Earliest expiry of any URL signed so far, UTC.
    :param expiry_seconds: Lifetime of each URL that the job asks for.
    """

    telemetry: Telemetry
    at: datetime | None
    expiry_seconds: int

    def at_checkpoint(self, now: datetime, needed: timedelta) -> dict[str, str]:
        """
        Warn at a checkpoint.

        :param needed: Estimated time that the chain still needs.
        :return: Fields to add to the answer: ``warning``, or none.
        """
        if self.at is None or self.at - now > needed:
            return {}
        self.telemetry.count(UrlsExpiring=1)
        return self._warn(EXPIRED if self.at <= now else EXPIRING, self.at)

    def at_end(self, now: datetime) -> dict[str, str]:
        """Warn of a manifest that is finished with dead URLs in it; return fields to add to the answer."""
        if self.at is None or self.at > now:
            return {}
        self.telemetry.count(ExpiredManifests=1)
        return self._warn(EXPIRED, self.at)

    def _warn(self, warning: str, expires_at: datetime) -> dict[str, str]:
        self.telemetry.warning(warning, expires_at=expires_at.strftime(ISO), expiry_seconds=self.expiry_seconds)
        return {"warning": warning}


def still_needed(seconds: float, written: int, count: int, last_count: int | None) -> timedelta:
    """
    Estimate the time that a chain still needs, at the rate of this hop, for as many keys as the last manifest has.

    The estimate is at least the duration of this hop, because a hop hands over when its time is up.

    :param seconds:    Duration of this hop.
    :param written:    Keys that this hop wrote.
    :param count:      Keys that the run has written so far.
    :param last_count: Keys in the job's last manifest, if there is one.
    """
    missing = max(0, (last_count or 0) - count)
    return timedelta(seconds=seconds * max(1.0, missing / written if written else 0.0))
