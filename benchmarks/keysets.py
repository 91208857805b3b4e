"""Sets of keys like those of buckets: even ones, and ones that mislead a guess of where the next page begins."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WEEK, _WORKING, _AT_HOME = 7, 5, 0.9


def numbered_folders(count: int) -> list[str]:
    """Return folders of 1,000 numbered files."""
    return [f"2026/04/{n // 1000:06d}/{n % 1000:03d}-customer-statement.pdf" for n in range(count)]


def numbered(count: int) -> list[str]:
    """Return one flat run of numbers."""
    return [f"{n:09d}.pdf" for n in range(count)]


def hashes(count: int) -> list[str]:
    """Return random hexadecimal names."""
    rng = random.Random(1)
    return sorted(f"{rng.getrandbits(128):032x}.pdf" for _ in range(count))


def uuids(count: int) -> list[str]:
    """Return UUIDs in one folder."""
    rng = random.Random(2)
    return sorted(f"docs/{uuid.UUID(int=rng.getrandbits(128), version=4)}.pdf" for _ in range(count))


def base64(count: int) -> list[str]:
    """Return random names of 64 letters, digits and signs."""
    rng = random.Random(3)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return sorted({"".join(rng.choices(letters, k=16)) for _ in range(count)})


def unicode_names(count: int) -> list[str]:
    """Return names of two to four bytes a letter, above and below the surrogates."""
    rng = random.Random(4)
    letters = "äöüéñçøåабвгдежзик日本語中文字漢書類\ue000\ufffd😀🎉"
    return sorted({f"{''.join(rng.choices(letters, k=6))}/{rng.randint(0, 9999):04d}.pdf" for _ in range(count)})


def unpadded(count: int) -> list[str]:
    """Return numbers without leading zeros: each is the beginning of ten others."""
    return sorted(f"invoice-{n}.pdf" for n in range(count))


def times(count: int) -> list[str]:
    """Return one folder per day, with names to the second."""
    rng, day = random.Random(5), datetime(2025, 11, 3)  # noqa: DTZ001 - only a name
    moments = (day + timedelta(seconds=rng.random() * 120 * 86400) for _ in range(count))
    return sorted(f"logs/{at:%Y/%m/%d/%H%M%S}.{at.microsecond:06d}.pdf" for at in moments)


def office_hours(count: int) -> list[str]:
    """Return names by date and time, most of them on working days around noon."""
    found: set[str] = set()
    rng, start = random.Random(6), datetime(2024, 1, 1)  # noqa: DTZ001 - only a name
    for _ in range(count):
        day = rng.randrange(700)
        day -= 2 if day % _WEEK >= _WORKING and rng.random() < _AT_HOME else 0
        at = start + timedelta(days=day, seconds=max(0, min(86399, rng.gauss(13 * 3600, 3 * 3600))))
        found.add(f"scan-{at:%Y-%m-%dT%H:%M:%S}Z-{rng.getrandbits(24):06x}.pdf")
    return sorted(found)


def huge_among_small(count: int) -> list[str]:
    """Return three huge folders among many small ones: three quarters of all keys lie in three places."""
    found: list[str] = []
    rng, folder = random.Random(7), 0
    while len(found) < count // 4:
        found += [f"customers/{folder:07d}/{n:04d}.pdf" for n in range(rng.randint(1, 40))]
        folder += 1
    each = (count - len(found)) // 3
    for huge in rng.sample(range(folder), 3):
        found += [f"customers/{huge:07d}/archive-{n:07d}.pdf" for n in range(each)]
    return sorted(found)


def tenants(count: int) -> list[str]:
    """Return tenants with random names whose sizes follow Zipf's law."""
    rng = random.Random(8)
    sizes = [int(count * 0.15 / (rank + 1)) for rank in range(400)]
    rng.shuffle(sizes)
    found = [
        f"tenant-{name}/{uuid.UUID(int=rng.getrandbits(128))}.pdf"
        for size in sizes
        for name in [f"{rng.getrandbits(24):06x}"]
        for _ in range(size)
    ]
    return sorted(found)


def words(count: int) -> list[str]:
    """Return names of people-like words, some far more common than others."""
    found: set[str] = set()
    rng = random.Random(9)
    syllables = ["ka", "ro", "mi", "ten", "sol", "ber", "an", "el", "is", "ou", "pra", "zu", "dy", "fe", "gr", "lo"]
    common = [0.5 + rng.expovariate(1) for _ in syllables]

    def name() -> str:
        return "".join(rng.choices(syllables, common, k=rng.randint(1, 4)))

    while len(found) < count:
        found.add(f"{name()}/{name()} {name()}-{rng.randint(1, 99)}.pdf")
    return sorted(found)


def deep_tree(count: int) -> list[str]:
    """Return a tree of seven levels whose branches are of very different sizes."""
    found: set[str] = set()
    rng = random.Random(10)

    def grow(folder: str, size: int, levels: int) -> None:
        if levels == 0 or size < 20:  # noqa: PLR2004 small enough for one folder
            found.update(f"{folder}f{n:05d}.pdf" for n in range(size))
            return
        branches = rng.randint(2, 9)
        cuts = [0.0, *sorted(rng.betavariate(0.4, 0.4) for _ in range(branches - 1)), 1.0]
        for n in range(branches):
            grow(f"{folder}{rng.choice('abcdexyz')}{n}/", int(size * (cuts[n + 1] - cuts[n])), levels - 1)

    grow("tree/", count, 7)
    return sorted(found)


def nested_prefixes(count: int) -> list[str]:
    """Return keys that are the beginnings of other keys, many times over."""
    found: set[str] = set()
    rng = random.Random(11)
    while len(found) < count:
        key = ""
        for _ in range(rng.randint(5, 60)):
            key += rng.choice("ab/")
            found.add(key)
    return sorted(found)[:count]


def geometric(count: int) -> list[str]:
    """Return numbers with equally many keys in each order of magnitude: the keys thin out for ever."""
    rng = random.Random(12)
    return sorted({f"{2 ** (rng.random() * 60):022.3f}.pdf" for _ in range(count)})


EVEN: dict[str, Callable[[int], list[str]]] = {
    make.__name__: make for make in (numbered_folders, numbered, hashes, uuids, base64, unicode_names)
}
SKEWED: dict[str, Callable[[int], list[str]]] = {
    make.__name__: make
    for make in (
        unpadded,
        times,
        office_hours,
        huge_among_small,
        tenants,
        words,
        deep_tree,
        nested_prefixes,
        geometric,
    )
}
