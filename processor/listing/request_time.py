"""Whether a list request waits for its server, or for this process."""

from __future__ import annotations

from time import monotonic, thread_time

LEAST_IDLE_SECONDS = 0.002  # during a request: writing a page takes 2 to 4 ms
_SLOW_SECONDS = 0.01  # pages of slow requests come in bursts, and this thread is busy with one while the next are due


class RequestTime:
    """What one list request has taken since the object was made."""

    __slots__ = ("_began", "_worked")

    def __init__(self) -> None:
        self._began, self._worked = monotonic(), thread_time()

    def is_wait(self) -> bool:
        """Return whether the request waited for its server: this thread had time for another page, or will have."""
        seconds, worked = monotonic() - self._began, thread_time() - self._worked
        return seconds - worked >= LEAST_IDLE_SECONDS or seconds >= _SLOW_SECONDS
