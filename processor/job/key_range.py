"""A part of a run's key space that is listed from its own place: pure data."""

from __future__ import annotations

from dataclasses import dataclass


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
