"""A part of a run's key space that is listed from its own place: pure data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeyRange:
    """
    A key interval, and how far it is listed and written. The ranges of a run partition its key space.

    :param number: Names the range within the run; a number is never used twice in a run.
    :param after:  Where the range begins, exclusive; ``""`` is the beginning.
    :param upto:   Last key that belongs to the range, inclusive; ``None`` is the end of the listing.
    :param place:  Last key that was listed and written; ``after`` at the beginning.
    :param cursor: Continuation token of the next page, for a run that is listed as one chain of requests.
    :param done:   Whether nothing is left between ``place`` and ``upto``.
    """

    number: int
    after: str
    upto: str | None
    place: str
    cursor: str | None
    done: bool

    @classmethod
    def unlisted(cls, number: int, after: str, upto: str | None, cursor: str | None = None) -> KeyRange:
        """Return a range of which nothing is listed."""
        return cls(number, after, upto, after, cursor, done=False)

    @classmethod
    def joined(cls, neighbours: Sequence[KeyRange]) -> KeyRange:
        """Return finished neighbours as one range, in the name of the first."""
        return replace(neighbours[0], upto=neighbours[-1].upto, place=neighbours[-1].place)


def grouped(partition: Iterable[T], range_of: Callable[[T], KeyRange]) -> list[list[T]]:
    """
    Return a partition in groups: finished ranges that are next to each other, and each other range by itself.

    :param partition: In key order; each item is, or has, a range.
    :param range_of:  Returns an item's range.
    """

    def group(item: T) -> int | None:
        found = range_of(item)
        return None if found.done else found.number

    return [list(items) for _, items in groupby(partition, key=group)]
