"""
Which bytes of which source make which part of the manifest: pure, and the same for the same sizes.

Limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from processor.errors import ManifestTooLongError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIB = 1 << 20
MIN_PART = 5 * MIB  # every part but the last
MAX_PART = 5 << 30
MAX_PARTS = 10_000
COPIED = 256 * MIB  # bytes of one copy: many run at once, and each ends well within a read timeout
COPIES = 5_000  # of a manifest, about, unless they would exceed S3's largest part; the other numbers are for the joins
LONGEST_JOINED = 64 * MIB  # of a part that is read and written, in memory


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes of one source, from ``start`` up to ``end``."""

    source: int
    start: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """
    One part.

    :param slices: Its bytes, in order.
    :param copied: Whether the store copies it from one object to the other; otherwise it is read and written.
    """

    slices: tuple[Slice, ...]
    copied: bool

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(piece.size for piece in self.slices)


def plan_copies(sizes: Sequence[int], least: int) -> list[PlannedPart]:
    """
    Plan parts that the store copies where a source is long enough, and joins of the short ones between them.

    :param sizes: Bytes of each source, in order.
    :param least: Bytes of every part but the last, at least.
    :raises ManifestTooLongError: S3's 10,000 parts do not hold them.
    """
    while len(parts := list(_copies(sizes, least))) > MAX_PARTS:
        least *= 2  # more of the short sources go into one part
        if least > LONGEST_JOINED:
            raise ManifestTooLongError(f"the manifest needs {len(parts)} parts, and S3 allows {MAX_PARTS}")
    return parts


def plan_equal(sizes: Sequence[int], least: int) -> list[PlannedPart]:
    """
    Plan parts of equal size but for the last, all read and written.

    :param sizes: Bytes of each source, in order.
    :param least: Bytes of every part but the last, at least.
    """
    size = max(least, math.ceil(sum(sizes) / MAX_PARTS))
    return [PlannedPart(tuple(slices), copied=False) for slices in _cut(sizes, size)]


def _copies(sizes: Sequence[int], least: int) -> Iterator[PlannedPart]:
    longest = max(COPIED, min(MAX_PART, math.ceil(sum(sizes) / COPIES)))
    joined: list[Slice] = []
    for source, size in enumerate(sizes):
        missing = max(0, least - sum(piece.size for piece in joined)) if joined else 0
        # The source's head fills the join before it; a source of which less than a part would be left goes in whole.
        head = size if size - missing < least else missing
        if head:
            joined.append(Slice(source, 0, head))
        if joined and sum(piece.size for piece in joined) >= least:
            yield PlannedPart(tuple(joined), copied=False)
            joined = []
        if head < size:
            yield from _slices(source, head, size, longest)
    if joined:
        yield PlannedPart(tuple(joined), copied=False)


def _slices(source: int, start: int, end: int, longest: int) -> Iterator[PlannedPart]:
    """Cut what is copied of a source into about equal slices."""
    count = math.ceil((end - start) / longest)
    bounds = [start + (end - start) * number // count for number in range(count + 1)]
    for left, right in pairwise(bounds):
        yield PlannedPart((Slice(source, left, right),), copied=True)


def _cut(sizes: Sequence[int], size: int) -> Iterator[list[Slice]]:
    """Cut the sources, put together, every ``size`` bytes."""
    slices: list[Slice] = []
    room = size
    for source, length in enumerate(sizes):
        start = 0
        while start < length:
            end = min(length, start + room)
            slices.append(Slice(source, start, end))
            room -= end - start
            start = end
            if room == 0:
                yield slices
                slices, room = [], size
    if slices:
        yield slices
