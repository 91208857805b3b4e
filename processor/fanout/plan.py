"""
How a job's key space is divided before its chains begin: by the map of an earlier run, or by looking at the keys.

A wrong guess costs balance, never a key: the ranges always partition the key space.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from processor.fanout.bisection import Bisection
from processor.job import EncodedBytes, KeyRange, WrittenRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from processor.job import Checkpoint
    from processor.listing import KeyMap, Lister

RANGES_A_CHAIN, REQUESTS_A_CHAIN = 4, 8


class Effort(NamedTuple):
    """
    How finely a job is divided, and by how many requests.

    :param ranges:   Ranges for each chain, so that a chain whose ranges were short takes more of them.
    :param requests: List requests for each chain, at most.
    :param least:    List requests that any job may make.
    """

    ranges: int = RANGES_A_CHAIN
    requests: int = REQUESTS_A_CHAIN
    least: int = 32


async def divided(
    start: Checkpoint,
    lister: Lister,
    key_map: KeyMap | None,
    time_left: Callable[[], float],
    effort: Effort = Effort(),  # noqa: B008 - a tuple
) -> Checkpoint:
    """
    Divide a job that begins between its chains.

    :param start: The job's whole key space as one range.
    """
    (whole,) = start.ranges
    ranges = await planned(lister, whole.range, key_map, time_left, effort)
    return replace(start, ranges=tuple(WrittenRange(found, EncodedBytes(), ()) for found in ranges))


async def planned(
    lister: Lister,
    whole: KeyRange,
    key_map: KeyMap | None,
    time_left: Callable[[], float],
    effort: Effort = Effort(),  # noqa: B008 - a tuple
) -> list[KeyRange]:
    """
    Divide a key space.

    :param lister:    Looks at the keys.
    :param whole:     The job's key space.
    :param key_map:   Where the keys were in an earlier run.
    :param time_left: Seconds; with none left, the key space is divided by what is known.
    """
    job, wanted = lister.job, lister.job.chains * effort.ranges
    if key_map is not None and key_map.keys:
        return by_map(whole, key_map.under(job.prefix), wanted)
    bisection = Bisection(lister, whole)
    await bisection.run(max(effort.least, job.chains * effort.requests), time_left)
    return bisection.ranges(wanted)


def by_map(whole: KeyRange, key_map: KeyMap, wanted: int) -> list[KeyRange]:
    """
    Cut a key space where a map says that about equally many keys are in each range.

    :param key_map: With the prefix before each key.
    :param wanted:  Ranges, at most.
    """
    keys = key_map.count(whole.after, whole.upto)
    ranges, at = list[KeyRange](), whole.after
    for number in range(1, wanted):
        cut = key_map.key_ahead(whole.after, whole.upto, keys * number // wanted)
        if cut is not None and cut > at:
            ranges.append(KeyRange.unlisted(len(ranges), at, cut))
            at = cut
    return [*ranges, KeyRange.unlisted(len(ranges), at, whole.upto)]
