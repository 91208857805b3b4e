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
    Compares the clocks, and warns once.

    After the first answer with a date, only a clock that is behind is reported: an answer that waited while the machine
    slept looks as if the clock were ahead.

    :param on_warning: Called with what a wrong clock does to links.
    :param is_begun:   Whether an answer has had a date.
    :param is_done:    Whether a wrong clock was reported.
    """

    on_warning: Callable[[str], None]
    is_begun: bool = False
    is_done: bool = False

    def on_answer(self, http_response: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
        """Compare the clocks at an answer (handler of botocore's ``after-call``)."""
        self.compare(http_response.headers.get("date"))

    def compare(self, date: str | None) -> None:
        """Compare the clocks by the date of an answer."""
        if date is None or self.is_done:
            return
        is_first, self.is_begun = not self.is_begun, True
        try:
            ahead = (datetime.now(UTC) - parsedate_to_datetime(date).astimezone(UTC)).total_seconds()
        except (ValueError, OverflowError):  # not a date
            return
        if ahead < -MOST_SECONDS or (is_first and ahead > MOST_SECONDS):
            self.is_done = True
            side, effect = ("ahead of", "may answer 403 at first") if ahead > 0 else ("behind", "die that much earlier")
            off = span(60 * round(abs(ahead) / 60))
            self.on_warning(f"this machine's clock is {off} {side} the server's: links signed here {effect}")
