"""Hops, requests, seconds and dollars of a job: as one chain, or as several that share it."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.billion.facts import (
    CHILDREN_PER_SECOND,
    COPY_BYTES_PER_SECOND,
    COPY_SECONDS,
    DOLLARS_GIB_SECOND,
    DOLLARS_INVOKE,
    DOLLARS_REQUEST,
    DOLLARS_TRANSITION,
    LAST_SECONDS,
    LINE_BYTES,
    LIST_SECONDS,
    MEMORY_GIB,
    PART_BYTES,
    RANGE_SECONDS,
    READERS,
    SAMPLE,
    START_SECONDS,
    TRANSITIONS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.billion.course import Course


@dataclass(frozen=True, slots=True)
class Taken:
    """
    The cost of a job.

    :param busy:     Seconds of all of its Lambdas.
    :param seconds:  From the start to the manifest.
    :param lists:    LIST requests.
    :param lists_a_second: While all chains list.
    :param ranges:   Ranges of its keys; 1 without a state machine.
    """

    count: int
    label: str
    hops: int
    busy: float
    seconds: float
    lists: float
    lists_a_second: float
    ranges: int = 1

    @property
    def dollars(self) -> dict[str, float]:
        """Its price, by what is billed."""
        pieces = self.count * LINE_BYTES / PART_BYTES + self.ranges * (self.ranges > 1)  # parts, and their copies
        return {
            "LIST": self.lists * DOLLARS_REQUEST,
            "parts": pieces * DOLLARS_REQUEST,
            "Lambda": self.busy * MEMORY_GIB * DOLLARS_GIB_SECOND + self.hops * DOLLARS_INVOKE,
            "Step Functions": self.ranges * (self.ranges > 1) * TRANSITIONS * DOLLARS_TRANSITION,
        }


def alone(count: int, how: Course, label: str, readers: int) -> Taken:
    """Return the cost of one chain."""
    seconds, lists = how.until(count)
    hops = int(seconds // LAST_SECONDS) + 1
    lists += (hops - 1) * readers  # requests under way at a hand-over are repeated
    busy = seconds + hops * START_SECONDS
    return Taken(count, label, hops, busy, busy, lists, lists / seconds)


def shared(sizes: Sequence[int], chains: int, how: Course, label: str, looked: int) -> Taken:
    """
    Return the cost of several chains.

    :param sizes:  Keys of each range, in the order in which they start.
    :param looked: Requests that divided the keys.
    """
    plan = START_SECONDS + looked / 32 * 2 * LIST_SECONDS  # rounds of up to 32 requests wait for the slowest
    free = [number / CHILDREN_PER_SECOND for number in range(chains)]
    busy, lists, hops = plan, float(looked), 2
    for size in sizes:
        part = alone(size, how, "", READERS)
        begun = heapq.heappop(free)
        heapq.heappush(free, begun + RANGE_SECONDS + part.seconds)
        busy, lists, hops = busy + part.busy, lists + part.lists, hops + part.hops
    listed = max(free)
    piece = sum(sizes) * LINE_BYTES / len(sizes)
    gather = START_SECONDS + -(-len(sizes) // READERS) * (COPY_SECONDS + piece / COPY_BYTES_PER_SECOND)
    pace = how.until(SAMPLE)
    return Taken(
        sum(sizes), label, hops, busy + gather, plan + listed + gather, lists, chains * pace[1] / pace[0], len(sizes)
    )
