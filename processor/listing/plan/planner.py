"""
Which list request to send next, and which keys are next in order: pure, without I/O.

Requests start after keys that exist or are guessed. What a page covers is known from the page alone: from where it was
asked to start up to its last key. So a wrong guess costs a request, never a key. The order continues only where pages
join; where they overlap, they must tell the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from processor.listing.interpolation.key_at_rank import KeyPredictor
from processor.listing.plan.gap_splitter import GapSplitter
from processor.listing.plan.listed_range import DisagreementError, ListedRange
from processor.listing.plan.range_set import RangeSet
from processor.listing.plan.step_size import StepSize

if TYPE_CHECKING:
    from collections.abc import Sequence

# Pages that may be lost, once every guess has gone wrong: a share of those that were won, and what it begins with. Few
# in a short listing, in a long one as many less one: none costs more than twice the plain chain, and two requests.
_SHORT, _LONG, _ALL = (0.5, 0.6), (1.5, -9), (1, -1)
_LEAST = 0.3  # of a page: nothing is asked for less
_WIDER = 0.2  # of a page: a guess this close to the next request is not worth one of its own
_CLOSED = 0.6  # of a page: what lies up to the next request where nothing more is to be asked
_WIDE = 2.0  # pages: a gap for which the farthest page is given up
_REACH = 0.9  # of the window: no guess is thought to lie farther ahead
_BUSY = 4  # pages that keep the writer busy: then nothing is guessed; or half as many as readers
_PAGES = 3  # that tell how densely the keys lie before a gap


class _Link(NamedTuple):
    """What follows a request's start: the next one, and the keys up to it; ``closes`` where nothing is between them."""

    start: str
    keys: float
    closes: bool = False


class RequestPlanner:
    """
    What is known of a listing beyond the keys that were taken in order.

    :param prefix:    All keys begin with it.
    :param start:     Key after which to begin.
    :param page_size: Keys that a response may bring.
    :param window:    Keys known or asked for, and not yet written, at most.
    :param end_at:    Last key that matters.

    ``front`` is how far the order has come.
    """

    def __init__(self, prefix: str, start: str, page_size: int, window: int, end_at: str | None = None) -> None:
        self.front, self.ended = start, False
        self._page, self._window, self._end_at = page_size, window, end_at
        self._guesses = KeyPredictor(prefix)
        self._stride = StepSize(page_size)
        self._cover = RangeSet(page_size)
        self._gaps = GapSplitter(self._cover, self._guesses.space)
        self._links: dict[str, _Link] = {}
        self._useful = self._wasted = 0.0  # pages

    @property
    def held(self) -> int:
        """Keys known ahead of the order."""
        return self._cover.held

    def next_request(self, limit: int, unwritten: int) -> str | None:
        """
        Choose where the next request starts, and count it as under way.

        :param limit:     Requests under way at most.
        :param unwritten: Keys taken and not yet written.
        :return: The key to start after; ``None`` when there is nothing to ask for now.
        """
        flying = len(self._cover.flying)
        # While the writer is the slower one, the pages that wait for it take the place of requests; one it works on.
        if self.ended or flying >= limit or flying * self._page + unwritten >= (limit + 1) * self._page:
            return None
        room = self._window - unwritten - self._cover.held - flying * self._page
        start, ahead = self.front, 0.0
        while True:
            place, keys = self._cover.through(start)
            if place is None or (place != self.front and self._beyond(place)):
                return None
            bringer, following = self._cover.bringer(place), self._cover.next_start(place)
            if bringer is None:
                return self._ask(place, room, unwritten)
            link = self._links.get(place)
            if link is None or link.start != following:
                may = unwritten <= max(_BUSY, limit // 2) * self._page and self._affordable()
                link = self._guess(place, bringer, following) if may else None
                if link is None:
                    return None
                if link.start != following:
                    return self._ask_ahead(place, link, room, ahead + keys)
                self._links[place] = link
            start, ahead = link.start, ahead + keys + link.keys

    def _ask(self, place: str, room: int, unwritten: int) -> str | None:
        """Ask for what nobody brings; one page always fits."""
        if room >= self._page or not (self._cover.flying or unwritten) or self._give_up(place):
            return self._cover.send(place)
        return None

    def _ask_ahead(self, place: str, link: _Link, room: int, ahead: float) -> str | None:
        """Ask for what comes after the page under way at a place, unless that is too far ahead."""
        guess, keys, _ = link
        if ahead + keys + self._page > _REACH * self._window:
            return None
        if room < self._page and not (self._is_wide(guess) and self._give_up(guess)):
            return None
        self._links[place] = link
        self._stride.guessed(place, guess, keys)
        return self._cover.send(guess, guessed=True)

    def arrived(self, after: str, keys: Sequence[str], *, truncated: bool) -> None:
        """
        Take a response.

        :raises DisagreementError: The server did not start where it was asked to, has no key to continue from, or tells
            other keys than before.
        """
        guessed = self._cover.landed(after)
        if keys and after and keys[0] <= after:
            raise DisagreementError("the server does not start after the key that it is given")
        if truncated and not keys:
            raise DisagreementError("the server gives no key, but says that the listing goes on")
        link = self._links.get(after)
        if link is not None and link.closes:
            self._gaps.landed(link.start, keys[-1] if truncated else None)
        fresh, lost = self._cover.keep(ListedRange(after, keys, keys[-1] if truncated else None, guessed))
        self._useful += (fresh - lost) / self._page
        self._wasted += 1 - (fresh - lost) / self._page

    def failed(self, after: str) -> None:
        """Forget a request that brought no answer."""
        self._cover.landed(after)
        self._wasted += 1

    def take(self) -> tuple[Sequence[str], bool] | None:
        """Take the next keys in order, a page at most, and whether the listing ends with them."""
        while not self.ended and (stretch := self._cover.next(self.front)) is not None:
            # That nothing follows is believed when it was asked after the very last key: a guess may lie anywhere.
            if not stretch.keys and stretch.after != self.front:
                continue
            self._learn(stretch.keys)
            self.ended = stretch.to is None
            self.front = stretch.to or (stretch.keys[-1] if stretch.keys else self.front)
            self._cover.previous = stretch
            return stretch.keys, self.ended
        return None

    def _learn(self, keys: Sequence[str]) -> None:
        self._guesses.learn(keys)
        if keys and self._stride.passed(keys):
            self._links = {place: link for place, link in self._links.items() if link.start > keys[-1]}
            self._gaps.passed(keys[-1])

    def _beyond(self, place: str) -> bool:
        return self._end_at is not None and place >= self._end_at

    def _affordable(self) -> bool:
        short, long, most = (share * self._useful + first for share, first in (_SHORT, _LONG, _ALL))
        return self._wasted + self._cover.loose <= max(short, min(long, most))

    def _after(self, place: str, count: float) -> str | None:
        """Guess from what lies nearest before a place."""
        return self._guesses.after(place, count, self._cover.nearest(place, _PAGES))

    def _guess(self, place: str, bringer: str, following: str | None) -> _Link | None:
        """
        Guess where the page under way at a place will have ended.

        :return: The guess, or the next start where that is too near.
        """
        brought = 0 if bringer == place else self._cover.between(bringer, place)
        least = _LEAST * self._page
        guess = self._stride.guess(place, lambda step: self._after(place, max(step - brought, least)))
        keys = max(self._stride.last - brought, least)
        if guess is not None and guess > place and not self._beyond(guess):
            further = None if following is None else self._after(place, keys + _WIDER * self._page)
            if following is None or (guess < following and further is not None and further < following):
                return _Link(guess, keys)
        if following is None:
            return None
        inside = self._gaps.inside(place, following, keys)
        if inside is None or self._beyond(inside):
            return _Link(following, _CLOSED * self._page, closes=True)
        return _Link(inside, keys)

    def _is_wide(self, guess: str) -> bool:
        """Tell whether so much is thought to lie between a guess and the next start that it is worth a page ahead."""
        following = self._cover.next_start(guess)
        further = None if following is None else self._after(guess, _WIDE * self._page)
        return following is None or (further is not None and further < following)

    def _give_up(self, place: str) -> bool:
        """Forget the page that lies farthest ahead, where its room is wanted before it."""
        if not self._cover.known or self._cover.known[-1].after <= place or not self._affordable():
            return False
        last = self._cover.farthest()
        self._useful -= len(last.keys) / self._page
        self._wasted += len(last.keys) / self._page
        self._links = {start: link for start, link in self._links.items() if link.start < last.after}
        return True
