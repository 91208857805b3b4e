"""What an event asks for, once it is read: one job, a batch of messages, or nothing, because it breaks a rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from processor.job import SiblingPayload


@dataclass(frozen=True, slots=True)
class One:
    """
    An event that asks for one job.

    :param run:    The run, and the place in it.
    :param resume: An operator continues with a parked or lost chain.
    :param time:   The event's own time, when it states one.
    :param token:  Token of the state machine's task that waits for the end of the work.
    :param waits:  Whether a queue delivers the event again until its job is done.
    """

    run: SiblingPayload
    resume: bool = False
    time: datetime | None = None
    token: str | None = field(default=None, repr=False)
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """
    An event that brings SQS messages, each of which asks for a job.

    :param records: The records as SQS wrote them; each is a message.
    """

    records: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Invalid:
    """
    An event that breaks a rule.

    :param field:   The field, as the caller wrote it.
    :param message: Field, value and rule; shows no credential.
    :param needs_error: Whether the sender takes every answer for success: only an error keeps what it has sent.
    """

    field: str
    message: str
    needs_error: bool = False
