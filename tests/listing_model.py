"""A bucket that many readers list, in virtual time: what the readers see is the bucket at each request's own moment."""

from __future__ import annotations

import heapq
import random
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from processor.listing import RequestPlanner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass
class Listed:
    """
    What a listing gave.

    :param rounds: How long it took, in times that a request takes.
    :param held:   Keys known or asked for ahead, at most.
    """

    keys: list[str] = field(default_factory=list)
    pages: int = 0
    requests: int = 0
    rounds: float = 0.0
    held: int = 0


def answer(keys: Sequence[str], after: str, page_size: int) -> tuple[list[str], bool]:
    """List as S3 does."""
    start = bisect_right(keys, after)
    return list(keys[start : start + page_size]), start + page_size < len(keys)


def listing(  # noqa: PLR0913 - each is a fact of the test
    keys: Sequence[str],
    *,
    readers: int,
    page_size: int = 1000,
    window: int = 20_000,
    prefix: str = "",
    start: str = "",
    seed: int | None = None,
    serve: Callable[[str, int], tuple[list[str], bool]] | None = None,
) -> Listed:
    """
    List a bucket through ``RequestPlanner``.

    :param seed:  Requests take random times; without one, all take as long.
    :param serve: Answers in place of a faithful S3.
    """
    ranges, listed, rng = RequestPlanner(prefix, start, page_size, window), Listed(), random.Random(seed)
    serve = serve or (lambda after, size: answer(keys, after, size))
    now, flying = 0.0, list[tuple[float, int, str, list[str], bool]]()
    while not ranges.ended:
        while (after := ranges.next_request(readers, 0)) is not None:
            listed.requests += 1
            takes = 1.0 if seed is None else rng.uniform(0.2, 3.0)
            heapq.heappush(flying, (now + takes, listed.requests, after, *serve(after, page_size)))
            assert len(flying) <= readers
        listed.held = max(listed.held, ranges.held + len(flying) * page_size)
        assert flying, "nothing is under way, and the listing has not ended"
        now, _, after, page, truncated = heapq.heappop(flying)
        ranges.arrived(after, page, truncated=truncated)
        while (taken := ranges.take()) is not None:
            listed.keys += taken[0]
            listed.pages += 1
    listed.rounds = now
    return listed
