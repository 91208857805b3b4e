"""
Finds out where the keys of a key space are, by looking at some pages: the gap with the most keys is halved each time.

The number of keys in a gap follows from its width on the line of keys, and from the density of keys at both its ends.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

from processor.errors import RetryableError
from processor.fanout.exploring import explored
from processor.fanout.key_line import KeyLine
from processor.job import KeyRange
from processor.listing import just_before

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from processor.listing import Listed, Lister

_AT_ONCE = 32  # requests
_FAILS = 3  # rounds in a row
_SHARE, _FIRST = 4, 32  # a quarter of the requests explore, and at least 32
_TRUST = 0.5  # least weight of what gaps are thought to hold; for the rest, all gaps weigh the same


@dataclass(slots=True)
class Gap:
    """
    A range of which one page is known.

    :param after: Where the gap begins, exclusive.
    :param upto:  Where the gap ends, inclusive; ``None`` is the end of the listing.
    :param first: First key of the page.
    :param last:  Last key of the page; the other keys come after it.
    :param known: Keys of the page.
    :param ended: No key comes after the page.
    :param until: No key of the gap comes after this one; ``None`` where that is not known.
    :param closed: The rest of the gap has no middle to ask for.
    """

    after: str
    upto: str | None
    first: str = ""
    last: str = ""
    known: int = 0
    ended: bool = False
    closed: bool = False
    until: str | None = None

    @property
    def begin(self) -> str:
        """Where its keys begin, as far as is known: a server may leave out keys after a key of no object."""
        return just_before(self.first, self.after) if self.first else self.after


class Bisection:
    """
    The search for keys in a key space.

    :param lister: Makes the requests.
    :param whole:  The key space.
    """

    def __init__(self, lister: Lister, whole: KeyRange) -> None:
        self._lister, self._line = lister, KeyLine(len(lister.job.prefix))
        self.gaps = [Gap(max(whole.after, lister.job.prefix), whole.upto)]
        self._begin, self._whole = whole.after, whole
        self._contradicts = False

    async def run(self, budget: int, time_left: Callable[[], float]) -> None:
        """
        Look at a number of pages, several at once.

        :param budget:    List requests, at most.
        :param time_left: Seconds; with none left, no further round begins.
        :raises PresignSiblingsError: The bucket is gone, access is denied, or S3 does not answer.
        """
        seen, self._contradicts = await explored(
            self._lister, self._whole, min(budget, max(_FIRST, budget // _SHARE)), time_left
        )
        for after, page in seen:
            self._observe(after, page)
        budget, failed = budget - len(seen), 0
        while budget > 0 and failed < _FAILS and time_left() > 0 and not self._contradicts:
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
        for gap, (at, end), own, following in zip(self.gaps, places, dense, [*dense[1:], 0.0], strict=True):
            density = (own + (following or own)) / 2
            found.append(gap.known + (0.0 if gap.ended else max(0, end - at) * density))
        return found

    def ranges(self, wanted: int) -> list[KeyRange]:
        """
        Return ranges of about as many keys each, in key order; that with the most keys has the highest number.

        :param wanted: Ranges, at most.
        """
        if self._contradicts:
            return [KeyRange.unlisted(0, self._begin, self.gaps[-1].upto)]
        counts = self.counts()
        cuts = [(self._begin, 0.0), *self._cuts_of(wanted, counts), (self.gaps[-1].upto, sum(counts))]
        keys = [end - start for (_, start), (_, end) in pairwise(cuts)]
        keys[-1] = inf  # its end is unknown
        numbers = {place: number for number, place in enumerate(sorted(range(len(keys)), key=keys.__getitem__))}
        return [
            KeyRange.unlisted(numbers[place], str(after), upto)
            for place, ((after, _), (upto, _)) in enumerate(pairwise(cuts))
        ]

    def _cuts_of(self, wanted: int, counts: Sequence[float]) -> Iterator[tuple[str, float]]:
        """
        Yield where a range ends and the next one begins: where a gap does, or within a gap that is long.

        Each with the number of keys that are thought to be before it.
        """
        before, keys, number, last = 0.0, 0.0, 1, self._begin
        for gap, weight, count in zip(self.gaps, self._weights(counts), counts, strict=True):
            if number < wanted and before * wanted >= number - 0.5 and gap.begin > last:
                yield (last := gap.begin), keys
                number += 1
            while number < wanted and (before + weight) * wanted > number + 0.5:
                share = (number / wanted - before) / weight
                key = None if gap.ended else self._ahead(gap, share)
                if key is not None and key > last:
                    yield (last := key), keys + gap.known + share * (count - gap.known)
                number += 1
            before, keys = before + weight, keys + count

    def _weights(self, counts: Sequence[float]) -> list[float]:
        """Return which share of the keys is in each gap: what is thought, trusted as far as the keys were seen."""
        total = sum(counts) or 1.0
        trust = max(_TRUST, sum(gap.known for gap in self.gaps) / total)
        return [(1 - trust) / len(counts) + trust * count / total for count in counts]

    def _ahead(self, gap: Gap, share: float) -> str | None:
        """
        Return the key that has a share of the rest of a gap before it.

        It never is a folder's name without the slash: after such a key, SeaweedFS leaves out the folder's content.
        """
        end = gap.until or gap.upto
        key = self._line.ahead(gap.last or gap.after, end, share)
        if key is None:
            return None
        key = f"{key.removesuffix('/')}/"
        return key if end is None or key < end else None

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
            cut = self._ahead(gap, 0.5)
            if cut is None:
                gap.closed = True
            else:
                cuts.append((gap, cut))
        return cuts

    def _observe(self, after: str, page: Listed) -> None:
        """Take a page that begins anywhere."""
        gap = next(gap for gap in reversed(self.gaps) if gap is self.gaps[0] or gap.after <= after)
        if not gap.known:
            self._take(gap, page, after)
        elif after > gap.last:
            self._split(gap, after, page)
        else:
            self._go_on(gap, page, after)

    def _go_on(self, gap: Gap, page: Listed, after: str) -> None:
        """Take a page that begins among the known keys of a gap, and may go beyond them."""
        more = replace(gap)
        self._take(more, page, after)
        if more.last > gap.last:
            gap.known += sum(key > gap.last for key in page.keys if key <= more.last)
            gap.last, gap.ended = more.last, more.ended

    def _split(self, gap: Gap, cut: str, page: Listed) -> None:
        """Take the page after a cut: its keys begin a gap of their own; a page without keys only bounds the old one."""
        upper = Gap(cut, gap.upto, until=gap.until)
        self._take(upper, page, cut)
        if upper.known:
            self.gaps.insert(self.gaps.index(gap) + 1, upper)
            gap.upto = cut
        gap.until = cut if gap.until is None else min(gap.until, cut)

    def _take(self, gap: Gap, page: Listed, after: str) -> None:
        keys = [key for key in page.keys if gap.upto is None or key <= gap.upto]
        self._contradicts = self._contradicts or (bool(keys) and keys[0] <= after)
        gap.ended = len(keys) < len(page.keys) or not page.goes_on
        gap.known = len(keys)
        if keys:
            gap.first, gap.last = keys[0], keys[-1]
            self._line.learn((keys[0], keys[len(keys) // 2], keys[-1]))
