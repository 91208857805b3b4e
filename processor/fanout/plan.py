"""
How a job's key space is divided before its chains begin: by the map of an earlier run, or by looking at the keys.

A wrong guess costs balance, never a key: the ranges always partition the key space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.fanout.looking import Looking
from processor.job import KeyRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from processor.listing import KeyMap, Lister

RANGES_A_CHAIN = 4  # so that a chain whose ranges were short takes more of them
REQUESTS_A_CHAIN = 8  # to look at the keys, at most


async def planned(
    lister: Lister, whole: KeyRange, key_map: KeyMap | None, time_left: Callable[[], float]
) -> list[KeyRange]:
    """
    Divide a key space.

    :param lister:    Looks at the keys.
    :param whole:     The job's key space.
    :param key_map:   Where the keys were in an earlier run.
    :param time_left: Seconds; with none left, what is known has to do.
    """
    job = lister.job
    if key_map is not None and key_map.keys:
        return by_map(whole, key_map.under(job.prefix), job.chains * RANGES_A_CHAIN)
    looking = Looking(lister, whole)
    await looking.run(job.chains * REQUESTS_A_CHAIN, time_left)
    return looking.ranges(job.chains * RANGES_A_CHAIN)


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
            ranges.append(_range(len(ranges), at, cut))
            at = cut
    return [*ranges, _range(len(ranges), at, whole.upto)]


def _range(number: int, after: str, upto: str | None) -> KeyRange:
    return KeyRange(number, after, upto, after, None, done=False)
