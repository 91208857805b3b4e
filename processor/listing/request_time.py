"""How much of a list request's time this process has worked, and not waited for the server."""

from __future__ import annotations

from time import monotonic, thread_time

_LEAST_SECONDS = 1e-6  # no clock says less


class RequestTime:
    """
    What one list request has taken since the object was made.

    ``began`` is that time, of ``monotonic``.
    """

    __slots__ = ("_worked", "began")

    def __init__(self) -> None:
        self.began, self._worked = monotonic(), thread_time()

    def busy(self) -> float:
        """Return the share of the request's time in which this thread has worked, above 0 and at most 1."""
        seconds, worked = monotonic() - self.began, thread_time() - self._worked
        return min(1.0, max(_LEAST_SECONDS, worked) / max(_LEAST_SECONDS, seconds))
