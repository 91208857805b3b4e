"""The test whether a server lists from any place: made once, at no cost, before a range is split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.job.s3_names import MAX_KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHARE, _MOST = 10, 10  # the second request starts before the last keys of the first page: its tenth part, ten at most


class ContradictionError(Exception):
    """Two answers of the server contradict each other, or one contradicts its request."""


class Trial:
    """
    Starts a run's second request at a key of no object, shortly before the end of the first page.

    The two pages must hold the same keys where they overlap. Some servers skip keys then, begin again, or give nothing.

    :param passed: Whether an earlier hop has made the trial.
    """

    def __init__(self, *, passed: bool) -> None:
        self.passed = passed
        self._start: str | None = None
        self._expected: Sequence[str] = ()

    @property
    def under_way(self) -> bool:
        """Whether the next request of the run, or the one under way, is the trial."""
        return self._start is not None

    def start_after(self, place: str) -> str:
        """Return where the request for what follows a place starts."""
        return place if self._start is None else self._start

    def checked(self, place: str, keys: Sequence[str], *, truncated: bool) -> Sequence[str]:
        """
        Return the keys of a response that follow a place.

        :raises ContradictionError: The response does not fit the request.
        """
        if keys and keys[0] <= self.start_after(place) != "":
            raise ContradictionError("the server does not start after the key that it is given")
        if truncated and not keys:
            raise ContradictionError("the server gives no key, but says that the listing continues")
        if self._start is not None:
            shared = len(self._expected)
            if list(keys[:shared]) != list(self._expected):
                raise ContradictionError("the server lists other keys after a key than it listed there before")
            self.passed, self._start = True, None
            return keys[shared:]
        if not self.passed and truncated:
            self._prepare(keys)
        return keys

    def _prepare(self, keys: Sequence[str]) -> None:
        for index in range(len(keys) - 1 - min(_MOST, len(keys) // _SHARE + 1), len(keys) - 1):
            if index >= 0 and not keys[index + 1].startswith(keys[index]) and len(keys[index].encode()) < MAX_KEY_BYTES:
                self._start, self._expected = f"{keys[index]}0", keys[index + 1 :]
                return
        self.passed = True
