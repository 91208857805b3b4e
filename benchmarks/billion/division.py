"""How the function divides the keys between chains."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from benchmarks.billion.facts import NOW, PAGE, PREFIX
from benchmarks.billion.keys import Generated
from processor.fanout import divided
from processor.job import DeploymentSettings, Job, SiblingPayload
from processor.listing import Listed

if TYPE_CHECKING:
    from processor.listing import KeyMap


class Bucket:
    """A lister of generated keys."""

    def __init__(self, count: int, chains: int) -> None:
        self.keys, self.requests = Generated(range(count)), 0
        event: dict[str, Any] = {"bucket": "reports", "prefix": PREFIX}
        settings = DeploymentSettings.from_environment({}, {})
        job = Job.from_event(event, config={}, environment={}, deployment=settings, now=NOW)
        self.job = replace(job, chains=chains)

    async def fetch(self, after: str) -> Listed:
        """Return a page."""
        self.requests += 1
        place = self.keys.first_after(after)
        page = list(self.keys[place : place + PAGE])
        return Listed(page, None, place + PAGE < len(self.keys))


def sizes(count: int, chains: int, key_map: KeyMap | None) -> tuple[list[int], int]:
    """Divide keys as the function does; return the keys of each range, and the number of requests."""
    bucket: Any = Bucket(count, chains)
    start = SiblingPayload.first(bucket.job, "billion", NOW).begin()
    found = asyncio.run(divided(start, bucket, key_map, lambda: 100.0))
    cuts = [0, *(bucket.keys.first_after(each.range.after) for each in found.ranges[1:]), count]
    numbered = zip((each.range.number for each in found.ranges), pairwise(cuts), strict=True)
    return [after - before for _, (before, after) in sorted(numbered, reverse=True)], bucket.requests
