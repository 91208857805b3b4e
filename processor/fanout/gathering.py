"""What the chains of a job have written, put together in key order: pure."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import accumulate
from operator import add, attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from processor.errors import CheckpointLostError
from processor.job import EncodedBytes, Gathered, KeyRange, WrittenRange, grouped
from processor.ledger import COMPLETE, FAILED, RESUMABLE
from processor.listing import KeyMap, KeyMapMaker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.job import Checkpoint

LOST = "chains_lost"  # no chain says why its range is not done


class Found(NamedTuple):
    """
    A range of a job.

    :param written:    The range as the job's own checkpoint has it.
    :param state:      State of its chain's record, if the chain has begun.
    :param reason:     Why the chain has stopped.
    :param checkpoint: The chain's last checkpoint, if there is any.
    """

    written: WrittenRange
    state: str | None = None
    reason: str | None = None
    checkpoint: Checkpoint | None = None

    @property
    def is_done(self) -> bool:
        """Whether its chain is at its end."""
        return self.state == COMPLETE


def gathered(start: Checkpoint, found: Sequence[Found]) -> Gathered:
    """
    Take up what the chains have written.

    :param start: The job's ranges, as they were given out.
    :param found: The same ranges, in the same order, with their chains.
    :raises CheckpointLostError: A chain is at its end, and its checkpoint does not say so.
    """
    failed = [each.reason for each in found if each.state == FAILED and each.reason not in RESUMABLE]
    if failed:
        pieces = [key for each in found if each.checkpoint is not None for key in each.checkpoint.pieces]
        return Gathered(replace(start, spent=(*start.spent, *pieces)), failed=str(failed[0]))
    done = [each.checkpoint for each in found if each.is_done and each.checkpoint is not None]
    merged = replace(
        start,
        ranges=_joined([_taken(each) for each in found]),
        counts=reduce(add, (checkpoint.counts for checkpoint in done), start.counts),
        spent=(*start.spent, *(key for checkpoint in done for key in checkpoint.spent)),
        key_map=_joined_map([start.key_map, *(checkpoint.key_map for checkpoint in done)]),
    )
    if merged.is_listed:
        return Gathered(merged)
    # The reason of a chain that has failed comes first: the others have stopped because of it.
    reasons = [each.reason for each in sorted(found, key=lambda each: each.state != FAILED) if each.reason is not None]
    return Gathered(merged, reason=reasons[0] if reasons else LOST)


def _taken(each: Found) -> WrittenRange:
    """Return a range as its chain has written it, when the chain is at its end."""
    if not each.is_done:
        return each.written
    if each.checkpoint is None or not each.checkpoint.is_listed:
        raise CheckpointLostError(
            f"the chain of range {each.written.range.number} has ended, but its checkpoint is not at the end"
        )
    whole = _one(each.checkpoint.ranges)
    if (whole.range.after, whole.range.upto) != (each.written.range.after, each.written.range.upto):
        raise CheckpointLostError(f"the chain of range {each.written.range.number} has written another range")
    return replace(whole, range=replace(each.written.range, place=whole.range.place, done=True))


def _joined_map(written: Sequence[Any]) -> dict[str, Any] | None:
    """Return the map of all keys, from the maps of the ranges."""
    maps = [KeyMap.from_json(each) for each in written if each is not None]
    found = sorted(pair for each in maps if each is not None for pair in each.distances())
    if not found:
        return None
    keys, distances = zip(*found, strict=True)
    return KeyMapMaker("", KeyMap(keys, tuple(accumulate(distances)))).map().to_json()


def _joined(ranges: Sequence[WrittenRange]) -> tuple[WrittenRange, ...]:
    """Join finished neighbours into one range."""
    return tuple(map(_one, grouped(ranges, attrgetter("range"))))


def _one(ranges: Sequence[WrittenRange]) -> WrittenRange:
    return WrittenRange(
        KeyRange.joined([each.range for each in ranges]),
        reduce(add, (each.encoded for each in ranges), EncodedBytes()),
        tuple(piece for each in ranges for piece in each.pieces),
    )
