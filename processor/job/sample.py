"""The first, the last and a random key of a manifest, which the probe tries before the manifest is called complete."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Sample:
    """
    Three of the keys that were signed; ``None`` until a key was signed.

    :param first: In the manifest's order.
    :param other: A random one, each as likely as every other.
    :param versions: Keys with the versions that their URLs name.
    """

    first: str | None = None
    last: str | None = None
    other: str | None = None
    versions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, keys: Sequence[str], versions: Mapping[str, str] | None = None) -> Sample:
        """
        Return the sample of some keys.

        :param keys:     In the manifest's order.
        :param versions: The version of each key, where URLs name it.
        """
        found = cls(keys[0], keys[-1], random.choice(keys)) if keys else cls()  # noqa: S311 - no secret
        return replace(found, versions=tuple((key, versions[key]) for key in found.keys)) if versions else found

    @classmethod
    def restored(
        cls,
        first: str | None = None,
        last: str | None = None,
        other: str | None = None,
        versions: Sequence[Sequence[str]] = (),
    ) -> Sample:
        """Return what a checkpoint has stored, in the order of the attributes."""
        return cls(first, last, other, tuple((key, version) for key, version in versions))

    def joined(self, others: Sample, weight: float) -> Sample:
        """
        Return one sample of the keys of both.

        :param weight: The share of all keys that ``others`` is a sample of.
        """
        firsts = [key for key in (self.first, others.first) if key is not None]
        lasts = [key for key in (self.last, others.last) if key is not None]
        other = others.other if random.random() < weight else self.other  # noqa: S311 - no secret
        found = Sample(min(firsts, default=None), max(lasts, default=None), other)
        if not (self.versions or others.versions):
            return found
        versions = {**dict(self.versions), **dict(others.versions)}
        return replace(found, versions=tuple((key, versions[key]) for key in found.keys if key in versions))

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys, each once."""
        return tuple(dict.fromkeys(key for key in (self.first, self.last, self.other) if key is not None))
