"""One check of a manifest, and the faults that it counts; the first few are kept as texts."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Check:
    """
    One check of a manifest.

    :param name:   What must hold.
    :param passed: Whether it holds.
    :param seen:   What the check saw, for the reader.
    """

    name: str
    passed: bool
    seen: str


@dataclass(slots=True)
class Faults:
    """
    Faults of one kind; a million take no more memory than a few.

    :param first: The first faults, as texts.
    """

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, fault: str) -> None:
        """Note a fault."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(fault)

    def summary(self, fine: str) -> str:
        """
        Return the faults in words.

        :param fine: Text for no fault.
        """
        return f"{self.count:,} wrong: {'; '.join(self.first)}" if self.count else fine
