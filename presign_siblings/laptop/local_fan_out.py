"""The function's fan-out on this machine: processes in place of chains, and files in place of their records."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import reduce
from itertools import count
from math import inf
from operator import add
from typing import TYPE_CHECKING, Any

from presign_siblings.laptop.idle import IDLE_SECONDS
from presign_siblings.laptop.processes import UNEVEN
from presign_siblings.laptop.progress import Progress
from processor.fanout import Effort, Found, divided, gathered, given_out, planned, shared
from processor.job import EncodedBytes, WrittenRange
from processor.ledger import COMPLETE
from processor.together import together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from types_aiobotocore_s3 import S3Client

    from presign_siblings.laptop.processes import Processes
    from presign_siblings.laptop.range_files import RangeFiles
    from processor.job import Checkpoint, Gathered, KeyRange, SiblingPayload
    from processor.ledger import Ledger
    from processor.listing import KeyMap, Lister


# A range costs only a few milliseconds, and what turns out uneven is divided again.
EFFORT = Effort(ranges=4, requests=8, least=24)
LEFT = 24  # list requests at most, to divide what is left
PAGE = 200  # keys: enough to see where keys are, and read in a fifth of the time


class LocalFanOut:
    """
    Divides a run between processes, and gathers what they have written. It is its own state machine.

    When a process has no work, the others stop, and what each has left is divided: by the places of its own readers,
    and where these are few, by looking at the keys.

    :param files: Where the ranges are saved.
    """

    def __init__(self, processes: Processes, files: RangeFiles) -> None:
        self._processes, self._files = processes, files
        self._given, self._before = list["SiblingPayload"](), Progress()
        self._next: dict[str, Any] | None = None
        self._patience, self._uneven = IDLE_SECONDS, False

    @property
    def machine(self) -> LocalFanOut:
        """What gives the ranges to the processes."""
        return self

    async def divided(
        self, start: Checkpoint, lister: Lister, key_map: KeyMap | None, time_left: Callable[[], float]
    ) -> Checkpoint:
        """Divide a run that begins."""
        self._processes.warm_up()
        _shorten(lister)
        return await divided(start, lister, key_map, time_left, EFFORT)

    async def gathered(
        self,
        start: Checkpoint,
        place: SiblingPayload,
        ledger: Ledger,  # noqa: ARG002 - files take its place
        load: Callable[[SiblingPayload], Awaitable[Checkpoint]],
        lister: Lister,
    ) -> Gathered:
        """Take up what the processes have written."""
        found, partial = await self._found(start, place, load)
        whole = replace(
            start,
            ranges=tuple(each.written for each in found),
            counts=reduce(add, (checkpoint.counts for checkpoint in partial), start.counts),
            spent=(*start.spent, *(key for checkpoint in partial for key in checkpoint.spent)),
        )
        gained = gathered(whole, found)
        if gained.checkpoint.is_listed:
            self._processes.leave()  # while the manifest is put together
        elif self._uneven:
            left = await finer(gained.checkpoint, lister, self._files)
            return gained._replace(checkpoint=left, reason=None)
        return gained

    async def _found(
        self, start: Checkpoint, place: SiblingPayload, load: Callable[[SiblingPayload], Awaitable[Checkpoint]]
    ) -> tuple[list[Found], list[Checkpoint]]:
        """Return what is written of each range, and the checkpoints of those that are divided once more."""
        found, partial = list[Found](), list["Checkpoint"]()
        numbers = count(1 + max(self._files.highest, *(written.range.number for written in start.ranges)))
        for written in start.ranges:
            saved = None if written.range.done else self._files.place(shared(written, place))
            # A file has no place for a map of its keys.
            checkpoint = None if saved is None else replace(await load(saved), key_map=None)
            if checkpoint is not None and can_be_divided(checkpoint):
                found += map(Found, parts(written.range.upto, checkpoint, numbers))
                partial.append(checkpoint)
                continue
            done = checkpoint is not None and checkpoint.is_listed
            found.append(Found(written, COMPLETE if done else None, None, checkpoint))
        return found, partial

    async def store(self, client: S3Client, place: SiblingPayload, checkpoint: Checkpoint, holder: str) -> str:  # noqa: ARG002
        """Keep the ranges that are to be given out."""
        self._given = given_out(checkpoint, place)
        self._before = Progress(checkpoint.counts.count, checkpoint.counts.pages)
        return ""

    def execution(self, place: SiblingPayload) -> str:
        """Return the job id as the execution's name."""
        return place.job_id

    async def start(
        self,
        place: SiblingPayload,
        plan_key: str,  # noqa: ARG002 - kept by ``store``
        refused: Callable[[str, str], None],  # noqa: ARG002 - nothing refuses the processes
    ) -> str | None:
        """
        Let the processes work on the ranges, to their end; nothing else waits for this event loop.

        :return: Why some are not done.
        :raises PresignSiblingsError: A range has failed.
        """
        begun, patience = time.monotonic(), self._patience
        reason = self._processes.run(self._given, self._before, patience)
        self._uneven = reason == UNEVEN
        if self._uneven:
            # Dividing again costs time, and does not always help.
            helped = time.monotonic() - begun > 3 * patience
            self._patience = IDLE_SECONDS if helped else 2 * patience
            reason = None
        self._next = place.to_payload() if reason is None else None
        return reason

    async def has_ended(self, place: SiblingPayload) -> bool:  # noqa: ARG002 - the protocol's
        """Return true: this process holds the lock, so no other works on the run."""
        return True

    def take(self) -> dict[str, Any] | None:
        """Take the payload of the place from which the run continues, once its ranges are done."""
        payload, self._next = self._next, None
        return payload


def can_be_divided(checkpoint: Checkpoint) -> bool:
    """Return whether several processes can share the rest of a range: none of its places is a continuation token."""
    return not checkpoint.is_listed and all(written.range.cursor is None for written in checkpoint.ranges)


def parts(upto: str | None, checkpoint: Checkpoint, numbers: Iterator[int]) -> Iterator[WrittenRange]:
    """
    Yield what is written of a range that has stopped, and what its readers have left, as ranges of the run.

    :param upto:    Where the range ends; its chain may have found that its keys end before.
    :param numbers: Numbers that no other range of the run has.
    """
    last = checkpoint.ranges[-1]
    for written in checkpoint.ranges:
        found = replace(written.range, upto=upto) if written is last else written.range
        if found.done:
            yield replace(written, range=replace(found, number=next(numbers)))
            continue
        if found.place > found.after:
            begun = replace(found, number=next(numbers), upto=found.place, done=True)
            yield replace(written, range=begun)
        rest = replace(found, number=next(numbers), after=found.place)
        yield WrittenRange(rest, EncodedBytes(), ())


async def finer(left: Checkpoint, lister: Lister, files: RangeFiles) -> Checkpoint:
    """
    Divide what is left further, where it is in few ranges: readers that never wait do not split them.

    :param lister: Looks at the keys.
    :param files:  A range that has one continues as it is.
    """
    few = sum(not written.range.done for written in left.ranges)
    if not 0 < few < 2 * lister.job.chains:
        return left
    effort = Effort(ranges=-(-EFFORT.ranges // few), requests=0, least=LEFT // few)
    _shorten(lister)

    async def looked(written: WrittenRange) -> list[KeyRange]:
        if written.range.done or files.of(written.range.number).path.exists():
            return []
        return await planned(lister, written.range, None, lambda: inf, effort)

    highest = max(files.highest, *(written.range.number for written in left.ranges))
    ranges = list[WrittenRange]()
    for written, found in zip(left.ranges, await together(map(looked, left.ranges)), strict=True):
        ranges += [replace(written, range=replace(each, number=highest + 1 + each.number)) for each in found]
        ranges += [] if found else [written]
        highest += len(found)
    return replace(left, ranges=tuple(ranges))


def _shorten(lister: Lister) -> None:
    """Let a lister look at short pages."""
    lister.job = replace(lister.job, page_size=min(PAGE, lister.job.page_size))
