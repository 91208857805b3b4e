"""Explores a key space with the listing's own planner: it finds the end of the keys, and what characters they have."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from processor.errors import RetryableError
from processor.listing import ContradictionError, RangePlanner

if TYPE_CHECKING:
    from collections.abc import Callable

    from processor.job import KeyRange
    from processor.listing import Listed, Lister

_AT_ONCE = 4  # requests; each answer lets the planner choose better
_FAILS = 3  # rounds in a row


class Seen(NamedTuple):
    """
    A page of the key space.

    :param after: Where the page begins, exclusive.
    """

    after: str
    page: Listed


async def explored(
    lister: Lister, whole: KeyRange, budget: int, time_left: Callable[[], float]
) -> tuple[list[Seen], bool]:
    """
    Look at a number of pages, the first one first.

    :param budget:    List requests, at most.
    :param time_left: Seconds; the first page is fetched however few are left.
    :return: The pages, in the order of their requests, and whether the server contradicts itself.
    :raises PresignSiblingsError: The bucket is gone, access is denied, or S3 does not answer.
    """
    planner = RangePlanner(lister.job.prefix, (whole,), lister.job.page_size, end_at=whole.upto)
    seen, failed = list[Seen](), 0
    while len(seen) < budget and failed < _FAILS and (not seen or time_left() > 0):
        most = min(_AT_ONCE, budget - len(seen)) if seen else 1
        requests = [request for _ in range(most) if (request := planner.next_guess()) is not None]
        if not requests:
            break
        answers = await asyncio.gather(*(lister.fetch(each.after) for each in requests), return_exceptions=True)
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, RetryableError) and seen:
                planner.failed(request.number)
                continue
            if isinstance(answer, BaseException):
                raise answer
            seen.append(Seen(request.after, answer))
            try:
                planner.arrived(request.number, answer.keys, truncated=answer.goes_on)
            except ContradictionError:
                return seen, True
        failed = failed + 1 if any(isinstance(answer, RetryableError) for answer in answers) else 0
    return seen, False
