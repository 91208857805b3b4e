"""What one list response tells: its keys, and the part of the listing that they are all the keys of."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_JOINS = 16  # that count
_MOST_ODD = 4


class DisagreementError(Exception):
    """Two answers of the server contradict each other, or what was asked."""


@dataclass(slots=True)
class ListedRange:
    """
    What one response tells.

    :param after: Where it begins, exclusive.
    :param to:    Up to where it knows the listing, inclusive; ``None`` is the end.
    :param loose: It was guessed, and does not join what comes before yet.
    """

    after: str
    keys: Sequence[str]
    to: str | None
    loose: bool = False

    def between(self, after: str, to: str | None) -> Sequence[str]:
        """Return the keys after one place, up to another."""
        return self.keys[bisect_right(self.keys, after) : None if to is None else bisect_right(self.keys, to)]

    def reaches(self, place: str | None) -> bool:
        """Tell whether it knows the listing up to a place."""
        return self.to is None or (place is not None and self.to >= place)


class OverlapCheck:
    """Compares what two responses tell of the same keys; a few may have come or gone between the requests."""

    def __init__(self) -> None:
        self._odd: deque[bool] = deque(maxlen=_JOINS)

    def check(self, before: ListedRange, behind: ListedRange) -> None:
        """
        Compare two stretches where they overlap.

        :raises DisagreementError: They do not tell the same, or the last ones too often did not.
        """
        after = max(before.after, behind.after)
        to = behind.to if before.reaches(behind.to) else before.to
        ours, theirs = before.between(after, to), behind.between(after, to)
        odd = 0 if ours == theirs else len(set(ours) ^ set(theirs))
        self._odd.append(odd > 0)
        if odd > max(2, max(len(ours), len(theirs)) // 4) or sum(self._odd) > _MOST_ODD:
            raise DisagreementError("the server lists other keys after a key than in passing it")
