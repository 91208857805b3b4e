"""The function's fan-out on this machine: processes in place of chains, and files in place of their records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from presign_siblings.laptop.lambda_stand_ins import Progress
from processor.fanout import Effort, Found, Gathered, divided, gathered, given_out, shared
from processor.ledger import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from types_aiobotocore_s3 import S3Client

    from presign_siblings.laptop.processes import Processes
    from presign_siblings.laptop.range_files import RangeFiles
    from processor.job import Checkpoint, SiblingPayload
    from processor.ledger import Ledger
    from processor.listing import KeyMap, Lister


# Nothing is paid for a range but a few milliseconds; and few processes are to be even, on keys that nobody has seen.
EFFORT = Effort(ranges=8, requests=8, least=64)
PAGE = 200  # keys: enough to tell where keys are, and read in a fifth of the time


class LocalFanOut:
    """
    Divides a run between processes, and gathers what they have written. It is its own state machine.

    :param files: Where the ranges are saved.
    """

    def __init__(self, processes: Processes, files: RangeFiles) -> None:
        self._processes, self._files = processes, files
        self._given, self._before = list["SiblingPayload"](), Progress()
        self._next: dict[str, Any] | None = None

    @property
    def machine(self) -> LocalFanOut:
        """What gives the ranges to the processes."""
        return self

    async def divided(
        self, start: Checkpoint, lister: Lister, key_map: KeyMap | None, time_left: Callable[[], float]
    ) -> Checkpoint:
        """Divide a run that begins."""
        lister.job = replace(lister.job, page_size=min(PAGE, lister.job.page_size))
        return await divided(start, lister, key_map, time_left, EFFORT)

    async def gathered(
        self,
        start: Checkpoint,
        place: SiblingPayload,
        ledger: Ledger,  # noqa: ARG002 - files tell it here
        load: Callable[[SiblingPayload], Awaitable[Checkpoint]],
    ) -> Gathered:
        """Take up what the processes have written."""
        found = list[Found]()
        for written in start.ranges:
            saved = None if written.range.done else self._files.place(shared(written, place))
            # A file has no place for a map of its keys.
            checkpoint = None if saved is None else replace(await load(saved), key_map=None)
            done = checkpoint is not None and checkpoint.is_listed
            found.append(Found(written, COMPLETE if done else None, None, checkpoint))
        return gathered(start, found)

    async def store(self, client: S3Client, place: SiblingPayload, checkpoint: Checkpoint, holder: str) -> str:  # noqa: ARG002
        """Keep the ranges that are to be given out."""
        self._given = given_out(checkpoint, place)
        self._before = Progress(checkpoint.counts.count, checkpoint.counts.pages)
        return ""

    def execution(self, place: SiblingPayload) -> str:
        """Return a name."""
        return place.job_id

    async def start(self, place: SiblingPayload, plan_key: str) -> str | None:  # noqa: ARG002 - kept by ``store``
        """
        Let the processes work on the ranges, to their end; nothing else waits for this event loop.

        :return: Why some are not done.
        :raises PresignSiblingsError: A range has failed.
        """
        reason = self._processes.run(self._given, self._before)
        self._next = place.to_payload() if reason is None else None
        return reason

    async def has_ended(self, place: SiblingPayload) -> bool:  # noqa: ARG002 - the protocol's
        """Tell that no other process works on the run: it holds the lock."""
        return True

    def take(self) -> dict[str, Any] | None:
        """Take the payload of the place from which the run continues, once its ranges are done."""
        payload, self._next = self._next, None
        return payload
