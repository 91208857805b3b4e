"""
A prefix of a billion keys, in virtual time: how many hops, requests, minutes and dollars its manifest takes.

``python -m benchmarks.billion`` runs the processor's own planners over generated pages, and writes
``docs/measurements/billion.md``. What is alike is simulated once: a listing of ``SAMPLE`` keys, whose later half tells
the pace of a longer one, and whose beginning tells what a short range takes.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, overload

from benchmarks import billion_page
from benchmarks.billion_facts import (
    CHILDREN_PER_SECOND,
    COPY_BYTES_PER_SECOND,
    COPY_SECONDS,
    DOLLARS_GIB_SECOND,
    DOLLARS_INVOKE,
    DOLLARS_REQUEST,
    DOLLARS_TRANSITION,
    KEYS_PER_SECOND,
    LAST_SECONDS,
    LINE_BYTES,
    LIST_SECONDS,
    LIST_SIGMA,
    MEMORY_GIB,
    NOW,
    PAGE,
    PART_BYTES,
    PREFIX,
    RANGE_SECONDS,
    READERS,
    SAMPLE,
    START_SECONDS,
    TRANSITIONS,
    WHOLE,
)
from benchmarks.dataset import key_at
from processor.fanout import divided
from processor.job import DeploymentSettings, Job, SiblingPayload
from processor.listing import KeyMap, Listed, RangePlanner

_FOLDERS = key_at(PREFIX, 0)[: -len("000000/") - len(key_at(PREFIX, 0).rpartition("/")[2])]
_NAMES = [key_at(PREFIX, place).rpartition("/")[2] for place in range(PAGE)]


class Generated(Sequence[str]):
    """Keys that are made when they are looked at."""

    def __init__(self, places: range, digits: int | None = None) -> None:
        self._places, self._digits = places, digits or max(6, len(str(places.stop // PAGE - 1)))

    def __len__(self) -> int:
        """Count them."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Generated: ...
    def __getitem__(self, index: int | slice) -> str | Generated:
        """Make one, or a part of them."""
        if isinstance(index, slice):
            return Generated(self._places[index], self._digits)
        folder, place = divmod(self._places[index], PAGE)
        return f"{_FOLDERS}{folder:0{self._digits}d}/{_NAMES[place]}"

    def __eq__(self, other: object) -> bool:
        """Compare with other keys of the same set."""
        return isinstance(other, Generated) and self._places == other._places

    __hash__ = None  # type: ignore[assignment]

    def behind(self, key: str) -> int:
        """Return the place of the first key after another, of an object or not."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self[middle] > key else (middle + 1, high)
        return low


@dataclass(frozen=True, slots=True)
class Course:
    """
    How a listing went: after each page, how many keys were written, when, and after how many requests.

    :param keys: In ascending order, as the others.
    """

    keys: Sequence[int]
    seconds: Sequence[float]
    requests: Sequence[int]

    def until(self, count: int) -> tuple[float, float]:
        """Return seconds and requests until a number of keys; beyond its end, at the pace of its later half."""
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
            place = keys.behind(after)
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
    """Simulate one request after the other; the next is under way while a page is written."""
    rng, now, free, marks = random.Random(1), 0.0, 0.0, list[tuple[int, float, int]]()
    for page in range(-(-count // PAGE)):
        now += LIST_SECONDS * rng.lognormvariate(0, LIST_SIGMA)
        free = max(free, now) + PAGE / KEYS_PER_SECOND
        marks.append(((page + 1) * PAGE, free, page + 1))
    return Course(*zip(*marks, strict=True))


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What a job takes.

    :param busy:     Seconds of all of its Lambdas.
    :param seconds:  From the start to the manifest.
    :param lists:    LIST requests.
    :param lists_a_second: While all chains list.
    :param ranges:   What its keys are divided into; 1 without a state machine.
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
        """What it costs, by what is billed."""
        pieces = self.count * LINE_BYTES / PART_BYTES + self.ranges * (self.ranges > 1)  # parts, and their copies
        return {
            "LIST": self.lists * DOLLARS_REQUEST,
            "parts": pieces * DOLLARS_REQUEST,
            "Lambda": self.busy * MEMORY_GIB * DOLLARS_GIB_SECOND + self.hops * DOLLARS_INVOKE,
            "Step Functions": self.ranges * (self.ranges > 1) * TRANSITIONS * DOLLARS_TRANSITION,
        }


def alone(count: int, how: Course, label: str, readers: int) -> Taken:
    """Return what one chain takes."""
    seconds, lists = how.until(count)
    hops = int(seconds // LAST_SECONDS) + 1
    lists += (hops - 1) * readers  # what is under way at a hand-over is asked for again
    busy = seconds + hops * START_SECONDS
    return Taken(count, label, hops, busy, busy, lists, lists / seconds)


def shared(sizes: Sequence[int], chains: int, how: Course, label: str, looked: int) -> Taken:
    """
    Return what several chains take.

    :param sizes:  Keys of each range, in the order in which they are given out.
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


class Bucket:
    """Stands in for the lister: pages of generated keys."""

    def __init__(self, count: int, chains: int) -> None:
        self.keys, self.requests = Generated(range(count)), 0
        event: dict[str, Any] = {"bucket": "reports", "prefix": PREFIX}
        settings = DeploymentSettings.from_environment({}, {})
        job = Job.from_event(event, config={}, environment={}, deployment=settings, now=NOW)
        self.job = replace(job, chains=chains)

    async def fetch(self, after: str) -> Listed:
        """Return a page."""
        self.requests += 1
        place = self.keys.behind(after)
        page = list(self.keys[place : place + PAGE])
        return Listed(page, None, place + PAGE < len(self.keys))


def sizes(count: int, chains: int, key_map: KeyMap | None) -> tuple[list[int], int]:
    """Divide keys as the function does; return the keys of each range, and how many requests that took."""
    bucket: Any = Bucket(count, chains)
    start = SiblingPayload.first(bucket.job, "billion", NOW).begin()
    found = asyncio.run(divided(start, bucket, key_map, lambda: 100.0))
    cuts = [0, *(bucket.keys.behind(each.range.after) for each in found.ranges[1:]), count]
    numbered = zip((each.range.number for each in found.ranges), pairwise(cuts), strict=True)
    return [after - before for _, (before, after) in sorted(numbered, reverse=True)], bucket.requests


def map_of(count: int) -> KeyMap:
    """Return the map that an earlier run leaves: keys at equal distances."""
    keys, step = Generated(range(count)), -(-count // 4096)
    at = range(step - 1, count, step)
    return KeyMap(tuple(keys[place][len(PREFIX) :] for place in at), tuple(place + 1 for place in at))


def everything(count: int, chains: Sequence[int], one: Course, many: Course) -> list[Taken]:
    """Return the rows of a number of keys."""
    rows = [alone(count, one, "1 chain, 1 reader", 1), alone(count, many, f"1 chain, {READERS} readers", READERS)]
    key_map = map_of(count)
    for number in chains:
        for label, known in (("first run", None), ("key map", key_map)):
            parts, looked = sizes(count, number, known)
            rows.append(shared(parts, number, many, f"{number} chains, {label}", looked))
    return rows


def main() -> None:
    """Simulate, print the page, and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.billion", description="a billion keys, in virtual time")
    parser.add_argument("--keys", type=int, default=1_000_000_000, help="how many; others write nothing without --out")
    parser.add_argument("--chains", type=int, nargs="+", default=[16, 64, 256], help="chains that share the job")
    parser.add_argument("--out", type=Path, help="where the page is written")
    options = parser.parse_args()
    sample = min(SAMPLE, options.keys)
    one, many = plain_course(sample), course(sample, READERS)
    rows = {count: everything(count, options.chains, one, many) for count in (options.keys, 10 * options.keys)}
    text = billion_page.page(rows)
    print(text)
    usual = Path("docs/measurements/billion.md") if options.keys == parser.get_default("keys") else None
    if (out := options.out or usual) is not None:
        out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
