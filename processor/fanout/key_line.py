"""
Keys as numbers on a line, so that there is a middle between two of them: by the characters seen at each place.

Only proportions count: pages show where the keys really are.
"""

from __future__ import annotations

from bisect import bisect_left
from string import ascii_lowercase, ascii_uppercase, digits, hexdigits
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_FINE = 1 << 20  # steps of a share: the places have more digits than a float
_DEPTH = 40  # characters after the prefix
_KINDS = (digits, hexdigits[:16], hexdigits[:10] + hexdigits[16:], ascii_lowercase, ascii_uppercase)


class KeyLine:
    """
    A line for the keys of a prefix.

    :param start: Characters of the prefix.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._seen: list[set[str]] = [set() for _ in range(_DEPTH)]
        self._alphabets: list[list[str]] = [[] for _ in range(_DEPTH)]
        self._sizes = [1] * (_DEPTH + 1)  # how many places there are from a character on
        self._places: dict[str | None, int] = {}

    def learn(self, keys: Iterable[str]) -> None:
        """Learn the characters of some keys."""
        for key in keys:
            for place, character in enumerate(key[self._start : self._start + _DEPTH]):
                if character not in self._seen[place]:
                    self._seen[place].add(character)
                    self._alphabets[place] = _closed(self._seen[place])
                    self._places.clear()
        if not self._places:
            for place in reversed(range(_DEPTH)):
                self._sizes[place] = self._sizes[place + 1] * (len(self._alphabets[place]) + 1)

    def at(self, key: str | None) -> int:
        """Return a key's place; ``None`` is the end of the line."""
        if key not in self._places:
            self._places[key] = self._at(key)
        return self._places[key]

    def _at(self, key: str | None) -> int:
        if key is None:
            return self._sizes[0] - 1
        value, characters = 0, key[self._start : self._start + _DEPTH]
        for place, (character, alphabet) in enumerate(zip(characters, self._alphabets, strict=False)):
            digit = bisect_left(alphabet, character)  # 0 is the end of a key
            value *= len(alphabet) + 1
            if digit == len(alphabet) or alphabet[digit] != character:
                return (value + digit + 1) * self._sizes[place + 1] - 1  # after all keys that begin so
            value += digit + 1
        return value * self._sizes[len(characters)]

    def ahead(self, low: str, high: str | None, share: float) -> str | None:
        """Return the key at a share of the way from one key to another; ``None`` where there is none."""
        value, found = self.at(low) + ((self.at(high) - self.at(low)) * round(share * _FINE) // _FINE), list[str]()
        for alphabet in reversed(self._alphabets):
            value, digit = divmod(value, len(alphabet) + 1)
            found.append(alphabet[digit - 1] if digit else "")
        characters = list(reversed(found))
        key = low[: self._start]
        for character in characters:
            if not character:
                break
            key += character
            if low < key and not low.startswith(key) and (high is None or key < high):
                return key
        return None


def _closed(seen: set[str]) -> list[str]:
    """Return an alphabet with the characters that belong to those that were seen."""
    found = set(seen)
    for kind in _KINDS:
        if found <= set(kind):
            return sorted(kind)
    for kind in (digits, ascii_lowercase, ascii_uppercase):
        if found & set(kind):
            found |= set(kind)
    return sorted(found)
