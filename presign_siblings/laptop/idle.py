"""Whether one of several processes has no work, while another has much."""

from __future__ import annotations

import time
from math import inf
from statistics import mean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

IDLE_SECONDS = 0.06  # to stop the others and divide what they have left takes about as long


class Idle:
    """
    Reports when one of several processes has been out of work for too long, or will be.

    :param number: How many processes.
    :param patience: Seconds that are too long.
    """

    def __init__(self, number: int, patience: float) -> None:
        self._number, self._patience, self._since = number, patience, inf
        self._begun, self._took = dict[int, float](), list[float]()  # starts by range; durations of the ended ones

    def long(self, busy: Iterable[int]) -> bool:
        """
        Note the ranges on which the processes work.

        :return: Whether one has been out of work for too long, or is out of work while another has only begun.
        """
        now, busy = time.monotonic(), set(busy)
        self._took += [now - self._begun.pop(number) for number in self._begun.keys() - busy]
        self._begun = dict.fromkeys(busy, now) | self._begun
        self._since = inf if len(busy) == self._number else min(self._since, now)
        half = mean(self._took) / 2 if self._took else 0.0
        begins = half > self._patience and any(now - begun < half for begun in self._begun.values())
        return self._since < inf and (begins or self.left <= 0)

    @property
    def left(self) -> float:
        """Seconds until one has been out of work for too long."""
        return self._since + self._patience - time.monotonic()
