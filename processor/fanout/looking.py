"""
Looks at some pages of a key space, to find out where its keys are: the gap with the most keys is halved each time.

How many are in a gap is told by its width on the line of keys, and how dense the keys are at both of its ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from processor.errors import RetryableError
from processor.fanout.key_line import KeyLine
from processor.job import KeyRange

if TYPE_CHECKING:
    from collections.abc import Callable

    from processor.listing import Listed, Lister

_AT_ONCE = 32  # requests
_FAILS = 3  # rounds in a row
_BEYOND = 4  # requests for keys that begin as none before


@dataclass(slots=True)
class Gap:
    """
    A range of which one page is known.

    :param after: Where it begins, exclusive.
    :param upto:  Where it ends, inclusive.
    :param first: First key of the page.
    :param last:  Last key of the page; the others are behind it.
    :param known: Keys of the page.
    :param ended: Nothing is behind the page.
    :param until: No key of it is behind this one.
    :param closed: No key lies in the middle of the rest.
    """

    after: str
    upto: str | None
    first: str = ""
    last: str = ""
    known: int = 0
    ended: bool = False
    closed: bool = False
    until: str | None = None


class Looking:
    """
    Looks at a key space.

    :param lister: Makes the requests.
    :param whole:  The key space.
    """

    def __init__(self, lister: Lister, whole: KeyRange) -> None:
        self._lister, self._line = lister, KeyLine(len(lister.job.prefix))
        self.gaps = [Gap(max(whole.after, lister.job.prefix), whole.upto)]
        self._begin = whole.after
        self._lies = False

    async def run(self, budget: int, time_left: Callable[[], float]) -> None:
        """
        Look at a number of pages, some at once.

        :raises PresignSiblingsError: The bucket is gone, access is denied, or S3 does not answer.
        """
        self._take(self.gaps[0], await self._lister.fetch(self._begin), self._begin)
        budget, failed = budget - 1 - await self._look_beyond(budget - 1), 0
        while budget > 0 and failed < _FAILS and time_left() > 0 and not self._lies:
            cuts = self._cuts(min(budget, _AT_ONCE))
            if not cuts:
                return
            budget -= len(cuts)
            answers = await asyncio.gather(*(self._lister.fetch(cut) for _, cut in cuts), return_exceptions=True)
            failed = failed + 1 if any(isinstance(answer, RetryableError) for answer in answers) else 0
            for (gap, cut), answer in zip(cuts, answers, strict=True):
                if isinstance(answer, RetryableError):
                    continue
                if isinstance(answer, BaseException):
                    raise answer
                self._split(gap, cut, answer)

    def counts(self) -> list[float]:
        """Estimate how many keys are in each gap."""
        places = [(self._line.at(gap.last or gap.after), self._line.at(gap.until or gap.upto)) for gap in self.gaps]
        dense = [self._density(gap) for gap in self.gaps]
        found = []
        for gap, (at, end), here, there in zip(self.gaps, places, dense, [*dense[1:], 0.0], strict=True):
            density = (here + (there or here)) / 2
            found.append(gap.known + (0.0 if gap.ended else max(0, end - at) * density))
        return found

    def ranges(self, wanted: int) -> list[KeyRange]:
        """
        Return ranges of about as many keys each.

        :param wanted: Ranges, at most.
        """
        if self._lies:
            return [KeyRange(0, self._begin, self.gaps[-1].upto, self._begin, None, done=False)]
        counts = self.counts()
        enough, kept, total = sum(counts) / wanted, [self._begin], 0.0
        for count, (_, right) in zip(counts, pairwise(self.gaps), strict=False):
            total += count
            if total >= enough:
                kept.append(right.after)
                total = 0.0
        ends = [*kept[1:], self.gaps[-1].upto]
        return [
            KeyRange(number, after, upto, after, None, done=False)
            for number, (after, upto) in enumerate(zip(kept, ends, strict=True))
        ]

    def _density(self, gap: Gap) -> float:
        width = self._line.at(gap.last) - self._line.at(gap.first) if gap.known > 1 else 0
        return (gap.known - 1) / width if width else 0.0

    def _cuts(self, most: int) -> list[tuple[Gap, str]]:
        """Choose the gaps with the most keys, and where to look in each."""
        counts, cuts = self.counts(), list[tuple[Gap, str]]()
        order = sorted(range(len(counts)), key=counts.__getitem__, reverse=True)
        least = sum(counts) / (4 * most)
        for index in order:
            gap = self.gaps[index]
            if len(cuts) == most or (cuts and counts[index] < least):
                break
            if gap.ended or gap.closed:
                continue
            cut = self._line.between(gap.last or gap.after, gap.until or gap.upto)
            if cut is None:
                gap.closed = True
            else:
                cuts.append((gap, cut))
        return cuts

    def _split(self, gap: Gap, cut: str, page: Listed) -> None:
        """Take the page behind a cut: what is there is a gap of its own, or nothing is."""
        upper = Gap(cut, gap.upto, until=gap.until)
        self._take(upper, page, cut)
        if upper.known:
            self.gaps.insert(self.gaps.index(gap) + 1, upper)
            gap.upto = cut
        gap.until = cut

    def _take(self, gap: Gap, page: Listed, after: str) -> None:
        keys = [key for key in page.keys if gap.upto is None or key <= gap.upto]
        self._lies = self._lies or (bool(keys) and keys[0] <= after)
        gap.ended = len(keys) < len(page.keys) or not page.goes_on
        gap.known = len(keys)
        if keys:
            gap.first, gap.last = keys[0], keys[-1]
            self._line.learn((keys[0], keys[len(keys) // 2], keys[-1]))

    async def _look_beyond(self, budget: int) -> int:
        """Look for keys that begin with a character behind all that were seen; return how many requests that took."""
        for sent in range(min(budget, _BEYOND)):
            gap, last = self.gaps[-1], self._line.beyond(self.gaps[-1].last)
            if gap.ended or last is None or (gap.upto is not None and last >= gap.upto):
                return sent
            self._split(gap, last, await self._lister.fetch(last))
            if self.gaps[-1] is gap:
                return sent + 1
        return min(budget, _BEYOND)
