"""How much of its list requests' time this process has worked, and not waited for the server."""

from __future__ import annotations

from collections import deque
from math import inf
from time import monotonic, thread_time

_LATEST = 3  # requests, each sent after the answer to the one before: one may be late by chance
SLOW_SECONDS = 0.02  # of a server's fastest answer: S3's takes longer, one beside the job does not
SPARE = 1.1  # times its readers a job must have work for: where others use the processor too, it seems to wait
_LEAST_SECONDS = 1e-6  # no clock says less


class RequestTime:
    """One list request, sent when the object was made; ``began`` is that time, of ``monotonic``."""

    __slots__ = ("_worked", "began")

    def __init__(self) -> None:
        self.began, self._worked = monotonic(), thread_time()

    def busy(self, now: float) -> float:
        """Return the share of its time until now in which this thread has worked, above 0 and at most 1."""
        seconds, worked = now - self.began, thread_time() - self._worked
        return min(1.0, max(_LEAST_SECONDS, worked) / max(_LEAST_SECONDS, seconds))


class RequestTimes:
    """The list requests of a job: whether it needs more of them under way, since it waits for the server."""

    def __init__(self) -> None:
        self._needed: deque[float] = deque(maxlen=_LATEST)  # requests under way that would have kept this thread busy
        self._judged = 0.0  # when the latest of them was noted
        self._fastest = inf  # seconds

    def add(self, answered: RequestTime, under_way: int) -> None:
        """
        Take a request that is answered now.

        :param under_way: How many requests were, this one among them.
        """
        now = monotonic()
        self._fastest = min(self._fastest, now - answered.began)
        if answered.began >= self._judged:  # one stop of this thread makes all requests under way late
            self._needed.append(under_way / answered.busy(now))
            self._judged = now

    def ask_for_more_than(self, under_way: int) -> bool:
        """
        Return whether more requests would leave the job less idle.

        Where the server answers at once, few keep this thread busy. A slow one's readers all stay at work: none has a
        long range left at last.
        """
        return self._fastest >= SLOW_SECONDS or all(SPARE * under_way < needed for needed in self._needed)
