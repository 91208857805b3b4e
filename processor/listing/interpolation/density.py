"""
How densely the keys lie along a part of a listing that was seen without a gap.

Under each beginning of its last key, down to the single character, so many keys were seen while the wheels moved on so
far: that says how many lie under the beginning in all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from processor.listing.interpolation.character_stats import common

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from processor.listing.interpolation.key_model import KeyModel, Reading

_RECENT = 2  # pages: what they tell goes before what the whole round does
# How far a wheel must have moved, in turns, and how many keys must have been seen, to count as much as what is thought.
_TURNS, _KEYS = 0.02, 0.33
_LEAST, _MOST = 1e-9, 1e12


class _Mark(NamedTuple):
    """A place on the trail: its reading, what it shares with the last key, and how many keys had been seen there."""

    reading: Reading
    shared: int
    seen: int


class Density:
    """
    Keys seen without a gap, up to ``last``; ``seen`` counts them.

    :param space: What has been learnt of the listing's wheels.
    """

    def __init__(self, space: KeyModel) -> None:
        self._space = space
        self.last, self.seen = "", 0
        self._first = ""
        self._began: list[int] = []  # for each beginning of the last key, how many had been seen before it
        self._recent: deque[tuple[int, str]] = deque(maxlen=_RECENT + 1)
        self._totals: list[float] | None = None

    def learn(self, keys: Sequence[str]) -> None:
        """Take the next keys in order; they follow those before without a gap."""
        first = self._space.first
        if not self.seen:
            self._first = self.last = keys[0]
            self._recent.append((0, keys[0]))
        depth, low = common(self.last, keys[-1], first), 0
        self._began += [0] * (depth - first + 1 - len(self._began))
        del self._began[depth - first + 1 :]
        for end in range(depth + 1, len(keys[-1]) + 1):
            low = bisect_left(keys, keys[-1][:end], low)
            self._began.append(self.seen + low)
        self.seen, self.last, self._totals = self.seen + len(keys), keys[-1], None
        self._recent.append((self.seen, self.last))

    def totals(self, thought: Sequence[float] = ()) -> list[float]:
        """
        Estimate how many keys lie under each beginning of the last key, the one without its last character last.

        :param thought: What is known of the shortest of them already.
        """
        if thought:
            return self._estimate(thought)
        if self._totals is None:
            self._totals = self._estimate(())
        return self._totals

    def _estimate(self, thought: Sequence[float]) -> list[float]:
        reading, totals = self._space.reading(self.last), list[float]()
        marks = [self._mark(0, self._first), self._mark(*self._recent[0])]
        for depth, dial in enumerate(reading.dials):
            total = thought[depth] if depth < len(thought) else None
            if total is None and depth:
                total = totals[-1] * reading.shares[depth - 1]
            if total is None or (dial is not None and len(dial.characters) > 1):
                for keys, share, turns in self._evidence(depth, reading, marks):
                    seen = keys / share
                    weight = 1 / (1 + _TURNS / turns + _KEYS / keys)
                    total = seen if total is None else max(total, _LEAST) ** (1 - weight) * seen**weight
            totals.append(min(max(self.seen if total is None else total, _LEAST), _MOST))
        return totals

    def _mark(self, seen: int, key: str) -> _Mark:
        space = self._space
        return _Mark(space.reading(key), common(key, self.last, space.first) - space.first, seen)

    def _evidence(self, depth: int, reading: Reading, marks: Sequence[_Mark]) -> Iterator[tuple[float, float, float]]:
        """Yield keys seen under a beginning, the share of it that they lie in, and the turns: in all, then of late."""
        began, before = self._began[depth], -1
        for mark in marks:
            share, turns, seen = reading.behind[depth], reading.turns[depth], self.seen - began
            if depth <= mark.shared and mark.seen >= began:
                seen = self.seen - mark.seen
                if depth < len(mark.reading.behind):
                    share, turns = share - mark.reading.behind[depth], turns - mark.reading.turns[depth]
            if seen != before and share > 0 and turns > 0:
                yield max(seen, 0.5), share, turns
            before = seen
