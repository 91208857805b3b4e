"""
Which list request to send next, and which keys are next in order: pure, without I/O.

Requests start after keys that exist or are guessed. What a page covers is known from the page alone: from where it was
asked to start up to its last key. So a wrong guess costs a request, never a key. The order goes on only where pages
join; where they overlap, they must tell the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import TYPE_CHECKING

from processor.coverage import Coverage, DisagreementError, Stretch
from processor.guess import Guesses
from processor.keyspace import Keyspace
from processor.stride import Stride

if TYPE_CHECKING:
    from collections.abc import Sequence

# Requests that bring nothing, over those that do: what may be risked, and what may be lost for good where few are under
# way. With one to begin with, a listing never costs more than twice the plain chain and two requests more.
_RISK, _LOSS = 0.5, 0.9
_FEW = 0.25  # of the pages so far
_LEAST = 0.3  # of a page: nothing is asked for less
_WIDER = 0.2  # of a page: a guess this close to the next request is not worth one of its own
_FAR = 3  # pages kept ahead that the farthest may be given up for
_JOINS = 16
_MOST_ODD = 4


class Ranges:
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
        self._space = Keyspace(prefix, start)
        self._after = Guesses(self._space).after
        self._stride = Stride(page_size)
        self._cover = Coverage(page_size)
        self._links: dict[str, str] = {}  # the start that follows another, where nothing more is to be asked between
        self._joins: deque[bool] = deque(maxlen=_JOINS)
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
        if self.ended or len(self._cover.flying) >= limit:
            return None
        room = self._window - unwritten - self._cover.held - len(self._cover.flying) * self._page
        edge = self._cover.edge(self.front)
        if edge is None or (edge != self.front and self._beyond(edge)):
            return None
        if self._cover.bringer(edge) is None:
            # Room for this one is always left, or the order could not go on; one page always fits.
            return self._cover.send(edge) if room >= self._page or not (self._cover.flying or unwritten) else None
        if not self._affordable(0) or 2 * unwritten > self._window or not (room >= self._page or self._spare()):
            return None
        place = self._gap(edge)
        if place is None or (room < self._page and not self._give_up(place)):
            return None
        return self._cover.send(place)

    def arrived(self, after: str, keys: Sequence[str], *, truncated: bool) -> None:
        """
        Take a response.

        :raises DisagreementError: The server did not start where it was asked to, or has no key to go on from.
        """
        self._cover.flying.remove(after)
        if keys and after and keys[0] <= after:
            raise DisagreementError("the server does not start after the key that it is given")
        if truncated and not keys:
            raise DisagreementError("the server gives no key, but says that the listing goes on")
        stretch = Stretch(after, keys, keys[-1] if truncated else None)
        if stretch.to is not None and stretch.to <= self.front:
            self._wasted += 1
            return
        self._cover.keep(stretch)

    def failed(self, after: str) -> None:
        """Forget a request that brought no answer."""
        self._cover.flying.remove(after)
        self._wasted += 1

    def take(self) -> tuple[Sequence[str], bool] | None:
        """
        Take the next keys in order, a page at most, and whether the listing ends with them.

        :raises DisagreementError: The answers do not fit together.
        """
        while not self.ended and (stretch := self._cover.next(self.front)) is not None:
            self._check_join(stretch)
            fresh = stretch.keys
            if fresh and fresh[0] <= self.front:
                fresh = fresh[bisect_right(fresh, self.front) :]
            # That nothing follows is believed when it was asked behind the very last key: a guess may lie anywhere.
            if not fresh and (stretch.to is not None or stretch.after != self.front):
                self._wasted += 1
                continue
            self._learn(fresh)
            self.ended = stretch.to is None
            self.front = stretch.to or (fresh[-1] if fresh else self.front)
            self._cover.previous = stretch
            return fresh, self.ended
        return None

    def _learn(self, keys: Sequence[str]) -> None:
        share = len(keys) / self._page
        self._useful += share
        self._wasted += max(0.0, 1 - share)
        self._space.learn(keys)
        if keys and self._stride.passed(keys):
            self._links = {place: to for place, to in self._links.items() if to > keys[-1]}

    def _check_join(self, stretch: Stretch) -> None:
        """Compare what two pages tell of the same keys; a few may have come or gone between the requests."""
        before = self._cover.previous
        if before is None or stretch.after >= self.front:
            return
        after = max(before.after, stretch.after)
        ours, theirs = before.between(after, self.front), stretch.between(after, self.front)
        odd = 0 if ours == theirs else len(set(ours) ^ set(theirs))
        self._joins.append(odd > 0)
        if odd > max(2, max(len(ours), len(theirs)) // 4) or sum(self._joins) > _MOST_ODD:
            raise DisagreementError("the server lists other keys after a key than in passing it")

    def _affordable(self, more: int) -> bool:
        flying, useful = len(self._cover.flying), self._useful
        risk = self._wasted + flying + more
        return risk <= 1 + _RISK * useful or (risk <= _LOSS * useful and flying <= _FEW * useful)

    def _beyond(self, place: str) -> bool:
        return self._end_at is not None and place >= self._end_at

    def _gap(self, place: str) -> str | None:
        """Find the first place from ``place`` on that no request will reach."""
        index = 0
        while True:
            while index < len(self._cover.known) and self._cover.known[index].after <= place:
                to = self._cover.known[index].to
                if to is None:
                    return None
                place = max(place, to)
                index += 1
            if self._beyond(place):
                return None
            bringer = self._cover.bringer(place)
            if bringer is None:
                return place
            claim = self._cover.next_start(place, index)
            if claim is None or self._links.get(place) != claim:
                guess = self._guess(place, bringer, claim)
                if guess is not None or claim is None:
                    return guess
                self._links[place] = claim
            place = claim

    def _guess(self, place: str, bringer: str, claim: str | None) -> str | None:
        """Guess where the page under way at a place will have ended, unless that is too near to the next start."""
        brought = 0 if bringer == place else self._cover.between(bringer, place)
        least = _LEAST * self._page
        guess = self._stride.guess(place, lambda step: self._after(place, max(step - brought, least)))
        if guess is None or guess <= place or self._beyond(guess):
            return None
        if claim is not None:
            count = max(self._stride.last - brought, least) + _WIDER * self._page
            further = self._after(place, count) if guess < claim else None
            if further is None or further >= claim:
                return None
        self._links[place] = guess
        self._stride.guessed(place, guess, max(self._stride.last - brought, least))
        return guess

    def _spare(self) -> bool:
        return len(self._cover.known) >= _FAR and self._cover.known[-1].to is not None and self._affordable(1)

    def _give_up(self, place: str) -> bool:
        """Forget the page that lies farthest ahead, where its room is wanted for a wide gap long before it."""
        ahead = [stretch.after for stretch in self._cover.known if stretch.after > place]
        if len(ahead) < _FAR:
            return False
        further = self._after(place, 2.0 * self._page)
        if further is None or further >= ahead[0]:
            return False
        last = self._cover.farthest()
        self._wasted += 1
        self._links = {start: to for start, to in self._links.items() if to < last.after}
        return True
