"""Compare this machine's clock with a server's: the clock of WSL or of a virtual machine stops while it sleeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from presign_siblings.words import span

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SECONDS = 60.0  # S3 accepts clocks up to 15 minutes off, and the date in a link is never corrected


@dataclass(slots=True)
class ClockCheck:
    """
    Compares the clocks, at the first answer that has a date.

    :param on_warning: Called with what a wrong clock does to links.
    """

    on_warning: Callable[[str], None]
    is_done: bool = False

    def on_answer(self, http_response: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
        """Compare the clocks at an answer (handler of botocore's ``after-call``)."""
        date = None if self.is_done else http_response.headers.get("date")
        if date is None:
            return
        self.is_done = True
        try:
            ahead = (datetime.now(UTC) - parsedate_to_datetime(date).astimezone(UTC)).total_seconds()
        except (ValueError, OverflowError):  # not a date
            return
        if abs(ahead) > MOST_SECONDS:
            side, effect = ("ahead of", "may answer 403 at first") if ahead > 0 else ("behind", "die that much earlier")
            off = span(60 * round(abs(ahead) / 60))
            self.on_warning(f"this machine's clock is {off} {side} the server's: links signed here {effect}")
