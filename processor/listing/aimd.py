"""How many list requests may be under way: halved when S3 slows them down, one more a round when it does not."""

from __future__ import annotations


class AimdLimit:
    """
    Additive increase, multiplicative decrease; pure.

    :param most: List requests under way at most.
    """

    def __init__(self, most: int) -> None:
        self._most, self._limit = most, float(most)
        self._spared = 0

    @property
    def limit(self) -> int:
        """List requests that may be under way now, at least one."""
        return int(self._limit)

    def slowed(self) -> None:
        """Halve the limit, once for all the requests that were under way together."""
        if self._spared <= 0:
            self._spared = self.limit
            self._limit = max(1.0, self._limit / 2)

    def went_well(self) -> None:
        """Count an answer that came at the first try: a round of them makes room for one more."""
        self._spared -= 1
        self._limit = min(float(self._most), self._limit + 1 / self._limit)
