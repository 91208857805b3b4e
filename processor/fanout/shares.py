"""The places at which the chains of a job begin, each in a range of it: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.job import Share

if TYPE_CHECKING:
    from processor.job import Checkpoint, SiblingPayload, WrittenRange


def shared(written: WrittenRange, place: SiblingPayload) -> SiblingPayload:
    """
    Return where the chain of a range begins.

    :param place: Where the job continues when all of its ranges are done.
    """
    found = written.range
    return place.shared(Share(found.number, found.after, found.upto, place.hop))


def given_out(checkpoint: Checkpoint, place: SiblingPayload) -> list[SiblingPayload]:
    """Return where chains begin in the ranges that are not done: the longest first, so that they end together."""
    left = [written for written in checkpoint.ranges if not written.range.done]
    left.sort(key=lambda written: written.range.number, reverse=True)
    return [shared(written, place) for written in left]
