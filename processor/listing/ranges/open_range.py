"""One range of a run while it is listed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from processor.job import KeyRange
from processor.job.s3_names import MAX_KEY_BYTES
from processor.listing.ranges.covered import Covered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.listing.page import Page

_LAST = "\U0010fffd"  # no key of a listing continues with a greater character
_BEFORE_SURROGATES, _AFTER_SURROGATES = 0xD7FF, 0xE000  # UTF-8 has no surrogates


@dataclass(slots=True, eq=False)
class OpenRange:
    """
    A range, how far it is written, and how far it is listed.

    :param number: As in ``KeyRange``, like ``after``, ``upto``, ``place``, ``cursor`` and ``done``.
    :param at:     Last key that was listed; the next request starts after it.
    :param bound:  Probably nothing is between it and ``upto``: a request that started there has found nothing.
    :param listed: Whether it is listed to its end.
    :param beyond: The first key after its end, where its last page has shown one.
    :param flying: Whether a request of it is under way.
    :param guessed: Whether the range begins at a guess, and no page of it has come yet.
    :param covered: The keys of the range that this hop has listed.
    :param since:  Keys that the range has brought since it was split.
    :param line:   Consecutive keys of one folder that it, and the ranges that it was split from, have brought.
    :param origin: The first of these keys.
    :param estimate: Keys that are left of it, judged by what a split would win; ``None`` until that is computed.
    :param key:    Where the upper part of a split begins.
    :param promised: Number of keys ahead by the map, when the range was split.
    """

    number: int
    after: str
    upto: str | None
    place: str
    cursor: str | None
    done: bool
    at: str
    covered: Covered
    bound: str | None = None
    listed: bool = False
    beyond: str | None = None
    flying: bool = False
    guessed: bool = False
    since: int = 0
    line: int = 0
    origin: str = ""
    estimate: float | None = None
    promised: int | None = None
    key: str | None = None

    @classmethod
    def of(cls, found: KeyRange, start: int, end_at: str | None) -> Self:
        """
        Continue with a range.

        :param start:  Characters that all keys share.
        :param end_at: Last key that matters.
        """
        upto = end_at if found.upto is None else found.upto
        return cls(
            found.number,
            found.after,
            upto,
            found.place,
            found.cursor,
            found.done,
            at=found.place,
            covered=Covered(start),
            listed=found.done,
        )

    @property
    def until(self) -> str | None:
        """Where its keys are thought to end."""
        return self.upto if self.bound is None else self.bound

    @property
    def is_begun(self) -> bool:
        """Whether a page of it has come, in this hop or before."""
        return self.at != self.after

    @property
    def key_range(self) -> KeyRange:
        """The range as far as it is written."""
        return KeyRange(self.number, self.after, self.upto, self.place, self.cursor, self.done)

    def reach(self, upto: str | None) -> None:
        """Continue to another end; up to there, nothing was found."""
        self.bound, self.upto, self.estimate = self.until, upto, None

    def misses(self, upper: OpenRange, keys: Sequence[str]) -> bool:
        """
        Whether it has shown a key of the next range that the next range's own first page has not.

        The key is gone since, or the server leaves out keys after a key of no object: SeaweedFS does so with a whole
        folder, where that key is the folder's name.

        :param upper: The next range.
        :param keys:  Keys of the first page of ``upper``, which does not begin at a key that was listed.
        """
        if not self.listed or self.beyond is None or self.at >= upper.at:
            return False
        belongs = upper.upto is None or self.beyond <= upper.upto
        return belongs and (not keys or self.beyond < keys[0])

    def begin_after(self, before: OpenRange) -> None:
        """Begin at the last key of the range before it, which is listed to its end; no page of this one has come."""
        before.upto = self.after = self.place = self.at = before.at
        self.guessed = False

    def take(self, keys: Sequence[str]) -> None:
        """Take its next keys."""
        self.covered.add(keys)
        self.at, self.estimate = keys[-1], None
        self.since += len(keys)
        if _folder(self.origin) != _folder(self.at):
            self.line, self.origin = 0, keys[0]
        self.line += len(keys)

    def chained(self, page: Page) -> Page:
        """Take a page that a chain of requests brought, as far as the range goes."""
        at = page.last_key or self.at
        if self.upto is not None and at >= self.upto:
            at, page = self.upto, replace(page, keys=[key for key in page.keys if key <= self.upto], is_last=True)
        self.at, self.listed = at, page.is_last
        return replace(page, last_key=at or None, cursor=None if page.is_last else page.cursor)

    def write(self, place: str | None, cursor: str | None, *, is_last: bool) -> None:
        """Note how far it is written."""
        self.place, self.cursor, self.done = place or self.place, cursor, is_last

    def split(self, number: int, key: str) -> OpenRange:
        """Give everything after a key to a new range, and return the new range."""
        upper = OpenRange(
            number,
            key,
            self.upto,
            key,
            None,
            done=False,
            at=key,
            covered=Covered(self.covered.start),
            bound=self.bound,
            guessed=True,
            line=self.line,
            origin=self.origin,
        )
        self.upto, self.bound, self.estimate, self.since, self.promised = key, None, None, 0, None
        return upper


def _folder(key: str) -> str:
    return key[: key.rfind("/") + 1]


def just_before(key: str, after: str) -> str:
    """
    Return a key that is before another one, with no key of a listing in between.

    :param after: The key that is returned is not before this one.
    """
    last = ord(key[-1])
    before = last - 1 if last != _AFTER_SURROGATES else _BEFORE_SURROGATES
    found = key[:-1] + (chr(before) + _LAST if last else "")
    return max(after, found if len(found.encode()) <= MAX_KEY_BYTES else key[:-1])
