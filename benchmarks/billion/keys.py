"""The keys of the simulation, made on access, and the map that a run leaves of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from benchmarks.billion.facts import PAGE, PREFIX
from benchmarks.dataset import key_at
from processor.listing import KeyMap

_FOLDERS = key_at(PREFIX, 0)[: -len("000000/") - len(key_at(PREFIX, 0).rpartition("/")[2])]
_NAMES = [key_at(PREFIX, place).rpartition("/")[2] for place in range(PAGE)]


class Generated(Sequence[str]):
    """Keys that are made on access."""

    def __init__(self, places: range, digits: int | None = None) -> None:
        self._places, self._digits = places, digits or max(6, len(str(places.stop // PAGE - 1)))

    def __len__(self) -> int:
        """Count them."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Generated: ...
    def __getitem__(self, index: int | slice) -> str | Generated:
        """Make one, or a slice of them."""
        if isinstance(index, slice):
            return Generated(self._places[index], self._digits)
        folder, place = divmod(self._places[index], PAGE)
        return f"{_FOLDERS}{folder:0{self._digits}d}/{_NAMES[place]}"

    def __eq__(self, other: object) -> bool:
        """Compare with other keys of the same set."""
        return isinstance(other, Generated) and self._places == other._places

    __hash__ = None  # type: ignore[assignment]

    def first_after(self, key: str) -> int:
        """Return the index of the first key after another, which need not exist."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self[middle] > key else (middle + 1, high)
        return low


def map_of(count: int) -> KeyMap:
    """Return the map that an earlier run leaves: keys at equal distances."""
    keys, step = Generated(range(count)), -(-count // 4096)
    at = range(step - 1, count, step)
    return KeyMap(tuple(keys[place][len(PREFIX) :] for place in at), tuple(place + 1 for place in at))
