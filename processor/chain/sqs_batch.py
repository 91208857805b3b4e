"""A batch of SQS messages, one job each: what fails stays in the queue alone, what finds no time gets a sibling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from processor.errors import PresignSiblingsError
from processor.events import Message
from processor.lambda_context import LambdaContext, time_left

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from processor.events import Submission
    from processor.reporting import Telemetry

INVOKE_SECONDS = 2.0  # with less left before the timeout, a message stays in the queue


class _NotDoneError(Exception):
    """The message stays in the queue; the log has said why."""


class Batch:
    """
    One invocation's messages.

    :param shutdown_period: Seconds kept free before the timeout; no job begins in them but the first.
    :param read:            Reads the job in a message; ``None`` when it is none, which is logged then.
    :param work:            Works on a job; tells whether the queue may forget the message.
    :param invoke:          Calls a sibling with an event; returns why it was not accepted, or ``None``.
    """

    def __init__(
        self,
        context: LambdaContext,
        shutdown_period: float,
        telemetry: Telemetry,
        *,
        read: Callable[[Message], Submission | None],
        work: Callable[[Submission], bool],
        invoke: Callable[[dict[str, Any]], str | None],
    ) -> None:
        self._context, self._shutdown_period, self._telemetry = context, shutdown_period, telemetry
        self._read, self._work, self._invoke = read, work, invoke
        self._has_begun = False

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Work on the messages, one after the other; return those that stay in the queue."""
        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        return dict(process_partial_response(dict(event), self._record, processor))

    def _record(self, record: SQSRecord) -> None:
        message = Message.from_record(record.raw_event)
        self._telemetry.message(message.message_id)
        asked = self._read(message)
        if asked is None:
            raise _NotDoneError
        self._telemetry.job(asked.run.job_id, asked.run.hop)
        if self._has_begun and time_left(self._context, self._shutdown_period) <= 0:
            self._delegate(message)
            return
        self._has_begun = True
        try:
            done = self._work(asked)
        except PresignSiblingsError:
            raise
        except Exception as error:
            # Powertools takes it for this record's failure; Lambda would have logged it.
            self._telemetry.error("failed", error=type(error).__name__, reason=str(error), terminal=False)
            raise
        if not done:
            raise _NotDoneError

    def _delegate(self, message: Message) -> None:
        """Let a sibling of its own do the job; the ledger fences it, should the message be delivered again."""
        has_time = time_left(self._context, 0) >= INVOKE_SECONDS
        reason = self._invoke(message.alone()) if has_time else "no_time"
        if reason is not None:
            self._telemetry.warning("not_delegated", reason=reason)
            raise _NotDoneError
        self._telemetry.event("delegated")
        self._telemetry.count(SiblingsSpawned=1)
