"""The rate of a run, and the time that it still needs, from earlier samples."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=120)  # long enough for some renewals of a lease (15 s), short enough to follow a change


@dataclass(frozen=True, slots=True)
class Point:
    """The number of keys at an instant."""

    at: datetime
    count: int


class Rate:
    """
    Keys a second over the last two minutes.

    :param started: When the run began, with no key.
    """

    def __init__(self, started: datetime) -> None:
        self._points: deque[Point] = deque([Point(started, 0)])

    def observe(self, at: datetime, count: int) -> None:
        """Add a sample; a hop that is repeated returns to its checkpoint, and so does the count."""
        last = self._points[-1]
        if count < last.count:
            self._points = deque([Point(at, count)])
        elif count > last.count and at > last.at:
            self._points.append(Point(at, count))
        while len(self._points) > 2 and self._points[-1].at - self._points[1].at >= WINDOW:  # noqa: PLR2004 - a span
            self._points.popleft()

    @property
    def rate(self) -> float | None:
        """Keys a second; ``None`` without enough samples."""
        first, last = self._points[0], self._points[-1]
        seconds = (last.at - first.at).total_seconds()
        return (last.count - first.count) / seconds if seconds > 0 else None

    def left(self, total: int | None) -> timedelta | None:
        """
        Return how long the rest will take at this rate.

        :param total: Keys of the whole run, if known.
        """
        rate, count = self.rate, self._points[-1].count
        if total is None or not rate or count > total:
            return None
        return timedelta(seconds=round((total - count) / rate))
