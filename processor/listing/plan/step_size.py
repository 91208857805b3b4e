"""How far apart to guess: as far as the last guesses were right, so that requests overlap little and leave few gaps."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STEPS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97, 1.5, 2.5, 3.5)  # pages
_FIRST = 0.9
_JUDGED = 24  # guesses of a kind that count
_ENOUGH = 6
_EVERY = 3  # judgements until the step is chosen again
_STALL = 1.7  # what a request costs that must wait for another, in requests
_REMEMBERED = 256


class StepSize:
    """
    The distance between two guesses, judged by what lay between the last ones.

    Guesses within a folder and those that leave it are judged apart.

    :param page_size: Keys that a response may bring.
    """

    def __init__(self, page_size: int) -> None:
        self._page = page_size
        self._steps: dict[bool, float] = {}
        self._ratios: dict[bool, deque[float]] = {False: deque(maxlen=_JUDGED), True: deque(maxlen=_JUDGED)}
        self._open: dict[str, tuple[str, float]] = {}
        self._ranks: dict[str, int] = {}
        self._rank = self._judged = 0
        self._leaves = False
        self.last = _FIRST * page_size

    def guess(self, place: str, after: Callable[[float], str | None]) -> str | None:
        """
        Guess by the distance that fits a guess of its kind.

        :param after: Guesses the place so many keys after ``place``.
        """
        guess = None
        for leaves in (self._leaves, not self._leaves):
            self.last = self._steps.get(leaves, _FIRST) * self._page
            guess = after(self.last)
            if guess is None or _leaves(place, guess) == leaves:
                break
        self._leaves = leaves
        return guess

    def guessed(self, place: str, guess: str, keys: float) -> None:
        """Note a guess that is acted upon: so many keys are thought to lie before it."""
        self._open[guess] = place, keys

    def passed(self, keys: Sequence[str]) -> bool:
        """Judge the guesses that the order passes with the next keys; tell whether there were any."""
        last, judged = keys[-1], False
        for guess in sorted(guess for guess in self._open if guess <= last):
            place, thought = self._open.pop(guess)
            self._ranks[guess] = self._rank + bisect_right(keys, guess)
            began = self._ranks.get(place)
            if began is None and place >= keys[0]:
                began = self._rank + bisect_right(keys, place)
            if began is not None:
                self._judge(_leaves(place, guess), (self._ranks[guess] - began) / thought)
            judged = True
        self._rank += len(keys)
        if len(self._ranks) > _REMEMBERED:
            self._ranks = dict(list(self._ranks.items())[-_REMEMBERED // 2 :])
        self._ranks[last] = self._rank
        return judged

    def _judge(self, leaves: bool, ratio: float) -> None:  # noqa: FBT001 - a key of two
        ratios = self._ratios[leaves]
        ratios.append(ratio)
        self._judged += 1
        if len(ratios) >= _ENOUGH and self._judged % _EVERY == 0:
            self._steps[leaves] = min(_STEPS, key=lambda step: _cost(step, ratios))


def _cost(step: float, ratios: Sequence[float]) -> float:
    """Return what a page's worth of keys costs, in requests, had the last guesses been that far apart."""
    sizes = [ratio * step for ratio in ratios]
    requests = [max(1, -int(-size // 1)) for size in sizes]
    return sum(1 + _STALL * (number - 1) for number in requests) / (sum(sizes) or 1e-9)


def _leaves(place: str, guess: str) -> bool:
    """Tell whether a guess leaves the folder."""
    folder = place[: place.rfind("/") + 1]
    return not guess.startswith(folder) or "/" in guess[len(folder) :]
