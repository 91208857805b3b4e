"""Keys at equal distances, learnt by one run for the next."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise, starmap
from operator import ge
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_KEYS = 4096
_VERSION = 1
_BEGINNING = 32  # keys between two of the map, until there are too many


@dataclass(frozen=True, slots=True)
class KeyMap:
    """
    Where the keys of a prefix lie: guesses to begin ranges at. An old or a wrong map costs balance, never a key.

    :param keys:  In order, without the prefix.
    :param every: Keys from one to the next.
    """

    keys: tuple[str, ...]
    every: int

    def count(self, after: str, upto: str | None) -> int:
        """Estimate how many keys lie between two, both without the prefix."""
        return self.every * (self._index(upto) - bisect_right(self.keys, after))

    def key_ahead(self, after: str, upto: str | None, count: float) -> str | None:
        """Return the last key of the map that is at most so many keys ahead; ``None`` where there is none."""
        index = bisect_right(self.keys, after) + int(count // self.every) - 1
        return self.keys[index] if bisect_right(self.keys, after) <= index < self._index(upto) else None

    def to_json(self) -> dict[str, Any]:
        """Return what a file holds of it."""
        return {"version": _VERSION, "every": self.every, "keys": list(self.keys)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self | None:
        """Read a map; ``None`` where it is not of this version, or not in order."""
        keys, every = data.get("keys"), data.get("every")
        if data.get("version") != _VERSION or not isinstance(keys, list) or not isinstance(every, int) or every < 1:
            return None
        if not all(isinstance(key, str) for key in keys) or any(starmap(ge, pairwise(keys))):
            return None
        return cls(tuple(keys[:MOST_KEYS]), every)

    def _index(self, upto: str | None) -> int:
        return len(self.keys) if upto is None else bisect_left(self.keys, upto)


class KeyMapMaker:
    """
    Makes a map of the keys that a run lists, range by range.

    :param prefix: All keys begin with it.
    :param before: What earlier hops of the run have learnt.
    """

    def __init__(self, prefix: str, before: KeyMap | None = None) -> None:
        self._start = len(prefix)
        self._every = before.every if before is not None else _BEGINNING
        self._keys = list(before.keys) if before is not None else []
        self._since: dict[int, int] = {}

    def add(self, number: int, keys: Sequence[str]) -> None:
        """Take the next keys of a range, by its number."""
        since = self._since.get(number, 0)
        self._keys += [key[self._start :] for key in keys[self._every - 1 - since :: self._every]]
        self._since[number] = (since + len(keys)) % self._every
        while len(self._keys) > MOST_KEYS:
            self._keys = sorted(self._keys)[1::2]
            self._every *= 2

    def map(self) -> KeyMap:
        """Return what is known by now."""
        return KeyMap(tuple(sorted(self._keys)), self._every)
