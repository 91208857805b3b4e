"""The URLs of a batch, taken apart: what all of them share is held once, and copied once, into the manifest's line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Urls:
    """
    URLs that differ in some places alone. A presigned URL is mostly a session token, the same in each of a batch.

    :param shared: The text before each of these places; the last place ends the URL.
    :param own:    The texts of each place: one for each URL.
    :param most:   Characters that no URL exceeds, where that is known without a look at each.
    """

    shared: Sequence[str]
    own: Sequence[Sequence[str]]
    most: int | None = None

    @classmethod
    def of(cls, urls: Sequence[str]) -> Urls:
        """Take URLs that share nothing that is known."""
        return cls(("",), (urls,))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.own[0])

    def __getitem__(self, number: int) -> str:
        """Put one together."""
        return "".join([text + own[number] for text, own in zip(self.shared, self.own, strict=True)])

    def __iter__(self) -> Iterator[str]:
        """Put them together, one after the other."""
        columns = [column for text, own in zip(self.shared, self.own, strict=True) for column in (repeat(text), own)]
        return map("".join, zip(*columns, strict=False))

    def may_exceed(self, length: int) -> bool:
        """Whether one may have more characters."""
        if self.most is not None and self.most <= length:
            return False
        return sum(map(len, self.shared)) + sum(max(map(len, own), default=0) for own in self.own) > length
