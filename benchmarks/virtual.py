"""A listing in virtual time: the processor's own ``RangePlanner`` on keys in memory, where only requests take time."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processor.job import KeyRange
from processor.listing import KeyMapMaker, RangePlanner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from processor.listing import KeyMap

PAGE = 1000
WHOLE = (KeyRange(0, "", None, "", None, done=False),)


@dataclass(frozen=True, slots=True)
class Listing:
    """
    The cost of a listing.

    :param pages:    Requests of one chain.
    :param readers:  Maximum of requests under way.
    :param requests: Requests sent.
    :param rounds:   Time, in times one request's.
    """

    pages: int
    readers: int
    requests: int
    rounds: float

    @property
    def times(self) -> float:
        """Speed, in times one chain's."""
        return self.pages / self.rounds

    @property
    def bound(self) -> float:
        """The highest speed, in times one chain's, with this number of requests by this number of readers."""
        return min(self.readers * self.pages / self.requests, self.pages)

    @property
    def cost(self) -> float:
        """Requests, in times one chain's."""
        return self.requests / self.pages


def run(
    keys: Sequence[str],
    readers: int,
    key_map: KeyMap | None = None,
    *,
    prefix: str = "",
    latency: Callable[[], float] = lambda: 1.0,
) -> tuple[Listing, KeyMap]:
    """
    List keys from many places.

    :param keys:    In order.
    :param readers: Maximum of requests under way.
    :param key_map: The key map of an earlier run.
    :param prefix:  The listed prefix: all keys begin with it.
    :param latency: Draws the time of a request.
    :return: Its cost, and the key map for the next run.
    :raises RuntimeError: The pages do not hold each key once.
    """
    planner, maker = RangePlanner(prefix, WHOLE, PAGE), KeyMapMaker(prefix)
    if key_map is not None:
        planner.use(key_map)
    flying: list[tuple[float, int, int, str]] = []
    now, requests, came = 0.0, 0, 0
    while planner.open:
        while (request := planner.next_request(readers)) is not None:
            requests += 1
            heapq.heappush(flying, (now + latency(), requests, *request))
        now, _, number, after = heapq.heappop(flying)
        start = bisect_right(keys, after)
        page = keys[start : start + PAGE]
        kept, is_last = planner.arrived(number, page, truncated=start + PAGE < len(keys))
        maker.add(number, kept, is_last=is_last)
        came += len(kept)
    if came != len(keys):
        raise RuntimeError(f"{came} keys of {len(keys)}")
    return Listing(max(1, -(-len(keys) // PAGE)), readers, requests, now), maker.map()
