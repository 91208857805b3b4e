"""The key range that one chain of siblings works on, where several chains share a job: pure data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from processor.job import validation

MAX_NUMBER = 100_000
_NAMES = frozenset({"number", "after", "upto", "start"})


@dataclass(frozen=True, slots=True)
class Share:
    """
    A range of a job's key space.

    :param number: Names the range within the run.
    :param after:  Where the range begins, exclusive; ``""`` is the beginning.
    :param upto:   Last key that belongs to the range, inclusive; ``None`` is the end of the listing.
    :param start:  Hop of the job at which the state machine was started: a later start continues with a parked range.
    """

    number: int
    after: str
    upto: str | None
    start: int

    def to_payload(self) -> dict[str, Any]:
        """Return the share as JSON values."""
        return asdict(self)

    @classmethod
    def from_payload(cls, written: object) -> Self:
        """
        Read a share, which is input like any other.

        :raises InvalidEventError: It breaks a rule.
        """
        found = validation.fields("share", written, _NAMES)
        upto = found["upto"]
        return cls(
            number=validation.integer("share.number", found["number"], 0, MAX_NUMBER),
            after=validation.text("share.after", found["after"]),
            upto=None if upto is None else validation.text("share.upto", upto),
            start=validation.integer("share.start", found["start"], 0, MAX_NUMBER),
        )
