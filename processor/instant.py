"""How an instant is written: ISO 8601 in UTC, to the second."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

ISO = "%Y-%m-%dT%H:%M:%SZ"


def has_passed(written: str | None, now: datetime) -> bool:
    """
    Return whether an instant is now or earlier; one that is not written has not passed.

    :param now: UTC.
    """
    return written is not None and written <= now.strftime(ISO)
