"""AWS's own clock, from the dates of its answers: this machine's clock may be late."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


def time_of(answer: Any, otherwise: datetime) -> datetime:  # noqa: ANN401 - of any operation
    """
    Return when AWS gave an answer, UTC, to the second.

    :param otherwise: Where the answer has no date, as an emulator's.
    """
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else otherwise
