"""The part of a listing that one range has listed without a gap."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Covered:
    """
    Keys that one range has listed, from ``first`` to ``last``; ``count`` of them.

    :param start: Number of characters that begin every key of the listing.
    """

    __slots__ = ("_before", "count", "first", "last", "passed", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.count = 0
        self.first = self.last = ""
        self.passed: dict[tuple[int, int], tuple[float, float]] = {}  # what the model has counted of it
        self._before: list[int] = []  # for each beginning of the last key, how many keys came before its first one

    def add(self, keys: Sequence[str]) -> None:
        """Take the next keys in order."""
        if not self.count:
            self.first = self.last = keys[0]
        depth, low = common(self.last, keys[-1], self.start), 0
        self._before += [0] * (depth - self.start + 1 - len(self._before))
        del self._before[depth - self.start + 1 :]
        for end in range(depth + 1, len(keys[-1]) + 1):
            low = bisect_left(keys, keys[-1][:end], low)
            self._before.append(self.count + low)
        self.count, self.last = self.count + len(keys), keys[-1]

    def under(self, depth: int) -> int:
        """Count the keys that share this number of characters with the last key."""
        return self.count - self._before[depth - self.start]


def common(one: str, other: str, least: int) -> int:
    """Return how many characters two keys share, at least ``least``."""
    low, high = least, max(least, min(len(one), len(other)))
    if one[:high] == other[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low
