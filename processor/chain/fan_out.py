"""What divides a job between several chains and gathers what they write: protocols, which ``fanout`` fulfils."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from types_aiobotocore_s3 import S3Client

    from processor.job import Checkpoint, Gathered, SiblingPayload
    from processor.ledger import Ledger
    from processor.listing import KeyMap, Lister


class Machine(Protocol):
    """The state machine that gives ranges to chains."""

    def execution(self, place: SiblingPayload) -> str:
        """Return the ARN of the execution that continues from a place."""

    async def start(self, place: SiblingPayload, plan_key: str, refused: Callable[[str, str], None]) -> str | None:
        """Start an execution; return why it does not start, or ``None``; report a refusal in the service's words."""

    async def has_ended(self, place: SiblingPayload) -> bool:
        """Return whether the execution of a place has ended, or never began."""


class FanOut(Protocol):
    """Divides and gathers the jobs of a deployment."""

    @property
    def machine(self) -> Machine:
        """The state machine."""

    async def divided(
        self, start: Checkpoint, lister: Lister, key_map: KeyMap | None, time_left: Callable[[], float]
    ) -> Checkpoint:
        """Divide a job that begins."""

    async def gathered(
        self,
        start: Checkpoint,
        place: SiblingPayload,
        ledger: Ledger,
        load: Callable[[SiblingPayload], Awaitable[Checkpoint]],
        lister: Lister,
    ) -> Gathered:
        """Take up what the chains have written."""

    async def store(self, client: S3Client, place: SiblingPayload, checkpoint: Checkpoint, holder: str) -> str:
        """Store the ranges that are to be given out; return the object's key."""
