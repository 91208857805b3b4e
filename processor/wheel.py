"""
One wheel of the odometer as which a key is read: a place in the keys, and what has been seen there.

Names of one kind share their places: a folder level, an offset into the name there, and the character before.
"""

from __future__ import annotations

# Folder level, offset into the name there, character before it ("": whichever).
Place = tuple[int, int, str]
FEW = 3  # counts from here on are trusted
TINY = 1e-6
_REMEMBERED = 16  # turns of a wheel that count
_OWN = 5  # turns of one character that count
_SIGMAS = 3  # a character that differs by less may differ by chance
_FIRST_PRINTABLE, _NO_CHARACTERS = " ", "\ufffe\uffff"  # XML 1.0 cannot carry what is none


class Wheel:
    """
    One place: the characters seen there, and how many keys each of the last ones stood for.

    ``counts`` are the keys behind the last turns; ``turns`` and ``parents`` count the turns, and the beginnings behind
    which they were seen from first to last; ``carried`` says how often the wheel before has turned meanwhile, ``fresh``
    how many keys had been seen at the last turn, ``sighted`` in how many sampled keys the place was looked at.
    """

    __slots__ = (
        "_factors",
        "_order",
        "_ordered",
        "_own",
        "_weight",
        "carried",
        "characters",
        "counts",
        "fresh",
        "parents",
        "sighted",
        "turns",
    )

    def __init__(self) -> None:
        self.characters: set[str] = set()
        self.counts: list[int] = []
        self.carried = self.fresh = self.sighted = self.turns = self.parents = 0
        self._order, self._ordered = "", 0
        self._own: dict[str, list[int]] = {}
        self._weight: float | None = None
        self._factors: dict[str, float] | None = None

    def turned(self, character: str, keys: int, seen: int) -> None:
        """Note that a character is behind: so many keys had it, when so many had been seen in all."""
        self.characters.add(character)
        self.counts.append(keys)
        if len(self.counts) > _REMEMBERED:
            del self.counts[0]
        own = self._own.setdefault(character, [])
        own.append(keys)
        if len(own) > _OWN:
            del own[0]
        self.fresh = seen
        self.turns += 1
        self._weight = self._factors = None

    @property
    def order(self) -> str:
        """The characters in order, but for those that XML cannot carry."""
        if self._ordered != len(self.characters):
            self._ordered = len(self.characters)
            usable = (c for c in self.characters if c >= _FIRST_PRINTABLE and c not in _NO_CHARACTERS)
            self._order = "".join(sorted(usable))
        return self._order

    @property
    def occupancy(self) -> float:
        """Share of the characters that there are behind one beginning: random digits leave most out."""
        if self.parents < FEW:
            return 1.0
        return min(1.0, 1.1 * self.turns / self.parents / len(self.characters))

    @property
    def weight(self) -> float | None:
        """Mean of the middle half of the last counts: one huge folder among small ones does not spoil it."""
        if self._weight is None and self.counts:
            counts, cut = sorted(self.counts), len(self.counts) // 4
            middle = counts[cut : len(counts) - cut]
            self._weight = max(sum(middle) / len(middle), TINY)
        return self._weight

    @property
    def factors(self) -> dict[str, float]:
        """Characters that stand for more or fewer keys than the others, and how many times as many."""
        if self._factors is None:
            weight, self._factors = self.weight or 1.0, {}
            noise = _SIGMAS * max(weight, 1.0) ** 0.5
            for character, own in self._own.items():
                if len(own) > 1 and abs((median := sorted(own)[len(own) // 2]) - weight) > noise:
                    self._factors[character] = max(median / weight, TINY)
        return self._factors


def places_of(key: str, first: int) -> list[Place]:
    """Return the place of each character behind the prefix."""
    places: list[Place] = []
    level, offset, before = 0, 0, ""
    for character in key[first:]:
        places.append((level, offset, before))
        if character == "/":
            level, offset, before = level + 1, 0, ""
        else:
            offset, before = offset + 1, character
    return places


def common(one: str, other: str, first: int) -> int:
    """Return how many characters two keys share, at least ``first``."""
    low, high = first, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
