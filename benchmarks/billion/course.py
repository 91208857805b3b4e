"""How one Lambda lists, signs and writes keys over time: the processor's own planner, in virtual time."""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.billion.facts import KEYS_PER_SECOND, LIST_SECONDS, LIST_SIGMA, PAGE, PREFIX, WHOLE
from benchmarks.billion.keys import Generated
from processor.listing import RangePlanner

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Course:
    """
    The course of a listing: keys written after each page, when, and after how many requests.

    :param keys: In ascending order, like the others.
    """

    keys: Sequence[int]
    seconds: Sequence[float]
    requests: Sequence[int]

    def until(self, count: int) -> tuple[float, float]:
        """Return seconds and requests until a number of keys; after the end, at the pace of the later half."""
        place = bisect_left(self.keys, count)
        if place < len(self.keys):
            return self.seconds[place], float(self.requests[place])
        half, more = len(self.keys) // 2, count - self.keys[-1]
        share = more / (self.keys[-1] - self.keys[half])
        return (
            self.seconds[-1] + share * (self.seconds[-1] - self.seconds[half]),
            self.requests[-1] + share * (self.requests[-1] - self.requests[half]),
        )


def course(count: int, readers: int) -> Course:
    """Simulate one Lambda that lists, signs and writes a number of keys."""
    planner, keys, rng = RangePlanner(PREFIX, (WHOLE,), PAGE), Generated(range(count)), random.Random(1)
    flying, ready = list[tuple[float, int, str]](), list[tuple[int, int, bool]]()
    now, free, sent, done = 0.0, 0.0, 0, 0
    marks = list[tuple[int, float, int]]()
    while planner.open or ready:
        # Pages that wait for the writer take the place of requests.
        while len(flying) + len(ready) <= readers and (request := planner.next_request(readers)) is not None:
            heapq.heappush(flying, (now + LIST_SECONDS * rng.lognormvariate(0, LIST_SIGMA), *request))
            sent += 1
        writes_at = max(free, now) + ready[0][1] / KEYS_PER_SECOND if ready else float("inf")
        if flying and flying[0][0] <= writes_at:
            now, number, after = heapq.heappop(flying)
            place = keys.first_after(after)
            kept, is_last = planner.arrived(number, keys[place : place + PAGE], truncated=place + PAGE < len(keys))
            ready.append((number, len(kept), is_last))
            continue
        now = free = writes_at
        number, written, is_last = ready.pop(0)
        planner.written(number, planner.at(number), None, is_last=is_last)
        done += written
        marks.append((done, now, sent - len(flying) - len(ready)))  # at the end none is under way
    if done != count:
        raise RuntimeError(f"{done} keys of {count}")
    return Course(*zip(*marks, strict=True))


def plain_course(count: int) -> Course:
    """Simulate one request after another; the next is under way while a page is written."""
    rng, now, free, marks = random.Random(1), 0.0, 0.0, list[tuple[int, float, int]]()
    for page in range(-(-count // PAGE)):
        now += LIST_SECONDS * rng.lognormvariate(0, LIST_SIGMA)
        free = max(free, now) + PAGE / KEYS_PER_SECOND
        marks.append(((page + 1) * PAGE, free, page + 1))
    return Course(*zip(*marks, strict=True))
