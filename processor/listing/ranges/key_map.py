"""Keys at about equal distances, which one run learns for the next."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise, starmap
from operator import ge
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_KEYS = 4096
_VERSION = 1
_DISTANCE = 32  # keys from one key of the map to the next, until there are too many


@dataclass(frozen=True, slots=True)
class KeyMap:
    """
    Where the keys of a prefix are: guesses at which ranges may begin. An old or wrong map costs balance, never a key.

    :param keys:  In order, without the prefix.
    :param ranks: For each key, the number of keys up to and including it.
    """

    keys: tuple[str, ...]
    ranks: tuple[int, ...]

    def under(self, prefix: str) -> KeyMap:
        """Return the map with the prefix before each key."""
        return KeyMap(tuple(prefix + key for key in self.keys), self.ranks)

    def count(self, after: str, upto: str | None) -> int:
        """Return how many keys there were from one to another, as far as the map knows."""
        return max(0, self.rank(upto) - self.rank(after))

    def key_ahead(self, after: str, upto: str | None, count: int) -> str | None:
        """Return the last key of the map that is at most ``count`` keys ahead; ``None`` where there is none."""
        key = self.key_at(self.rank(after) + count)
        return key if key is not None and after < key and (upto is None or key < upto) else None

    def rank(self, key: str | None, known: int = 0) -> int:
        """
        Return how many keys there were up to a key; ``None`` asks for all of them.

        :param known: The rank by other knowledge; it decides between two keys of the map.
        """
        index = len(self.keys) if key is None else bisect_right(self.keys, key)
        low = self._rank(index)
        return min(max(known, low), self.ranks[index] if index < len(self.ranks) else low)

    def key_at(self, rank: int) -> str | None:
        """Return the last key of the map up to which there were at most this number of keys."""
        index = bisect_right(self.ranks, rank) - 1
        return self.keys[index] if index >= 0 else None

    def distances(self) -> list[tuple[str, int]]:
        """Return each key of the map, with the number of keys from the one before it."""
        return [(key, rank - before) for key, (before, rank) in zip(self.keys, pairwise((0, *self.ranks)), strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Return the content of the map's file, which has distances in place of ranks."""
        distances = [rank - before for before, rank in pairwise((0, *self.ranks))]
        return {"version": _VERSION, "keys": list(self.keys), "distances": distances}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self | None:
        """Read a map; ``None`` where the file is not a map of this version."""
        keys, distances = data.get("keys"), data.get("distances")
        if data.get("version") != _VERSION or not isinstance(keys, list) or not isinstance(distances, list):
            return None
        whole = len(keys) == len(distances) <= MOST_KEYS and all(isinstance(key, str) for key in keys)
        counted = all(isinstance(each, int) and each > 0 for each in distances)
        if not whole or not counted or any(starmap(ge, pairwise(keys))):
            return None
        return cls(tuple(keys), tuple(accumulate(distances)))

    def _rank(self, index: int) -> int:
        """Return how many keys come up to the map's key before an index."""
        return self.ranks[index - 1] if index else 0


class KeyMapMaker:
    """
    Makes a map of the keys that a run lists, range by range.

    :param prefix: Beginning of every key.
    :param before: The map that earlier hops of the run have made.
    """

    def __init__(self, prefix: str, before: KeyMap | None = None) -> None:
        self._start = len(prefix)
        known = before if before is not None else KeyMap((), ())
        self._distances = dict(zip(known.keys, known.to_json()["distances"], strict=True))
        self._distance = _DISTANCE
        self._since: dict[int, int] = {}  # for each range, keys since its last one in the map
        self._last: dict[int, str] = {}

    def add(self, number: int, keys: Sequence[str], *, is_last: bool) -> None:
        """
        Take the next keys of a range.

        :param is_last: Whether the range ends with them.
        """
        since = self._since.pop(number, 0)
        for index in range(self._distance - 1 - since, len(keys), self._distance):
            self._distances[keys[index][self._start :]] = self._distance
        last = keys[-1] if keys else self._last.get(number, "")
        since = (since + len(keys)) % self._distance
        if not is_last:
            self._since[number], self._last[number] = since, last
        elif since:
            self._distances[last[self._start :]] = since
        if len(self._distances) > 2 * MOST_KEYS:
            self._thin()

    def map(self) -> KeyMap:
        """Return the map as far as it is known."""
        keys = sorted(self._distances)
        ranks = list(accumulate(self._distances[key] for key in keys))
        most = min(MOST_KEYS, len(keys))
        kept = [(number + 1) * len(keys) // most - 1 for number in range(most)]
        return KeyMap(tuple(keys[index] for index in kept), tuple(ranks[index] for index in kept))

    def _thin(self) -> None:
        """Leave out every other key; the key after it counts for both."""
        keys = sorted(self._distances)
        kept = {
            two: self._distances[one] + self._distances[two] for one, two in zip(keys[::2], keys[1::2], strict=False)
        }
        if len(keys) % 2:
            kept[keys[-1]] = self._distances[keys[-1]]
        self._distances, self._distance = kept, self._distance * 2
