"""A batch of SQS messages, one job each: only what fails stays in the queue, what finds no time gets a sibling."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from processor.errors import PresignSiblingsError
from processor.events import Invalid, Message, read_one
from processor.lambda_context import LambdaContext, time_left

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from processor.chain.answer import Response
    from processor.events import Batch, One, Surroundings
    from processor.reporting import Telemetry
    from processor.siblings import Siblings

INVOKE_SECONDS = 2.0  # with less left before the timeout, a message stays in the queue


class _NotDoneError(Exception):
    """The message stays in the queue; the log has said why."""


class SqsBatch:
    """
    One invocation's messages.

    :param around:   What reading a message depends on. Only the first job may begin in the ``shutdown_period``.
    :param siblings: Makes sosw's component when a message needs a sibling of its own.
    :param work:     Works on one job.
    """

    def __init__(
        self,
        context: LambdaContext,
        around: Surroundings,
        telemetry: Telemetry,
        *,
        siblings: Callable[[], Siblings],
        work: Callable[[One], Response],
    ) -> None:
        self._context, self._around, self._telemetry = context, around, telemetry
        self._siblings, self._work = siblings, work
        self._has_begun = False

    def answer(self, batch: Batch) -> dict[str, Any]:
        """Work on the messages, one after the other; return those that stay in the queue."""
        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        return dict(process_partial_response({"Records": list(batch.records)}, self._record, processor))

    def _record(self, record: SQSRecord) -> None:
        message = Message.from_record(record.raw_event)
        self._telemetry.message(message.message_id)
        asked = read_one(message.alone(), self._around)
        if isinstance(asked, Invalid):
            self._telemetry.invalid(asked.field, asked.message)
            raise _NotDoneError
        self._do(message, replace(asked, waits=True))

    def _do(self, message: Message, asked: One) -> None:
        self._telemetry.job(asked.run.job_id, asked.run.hop)
        if self._has_begun and time_left(self._context, self._around.deployment.shutdown_period) <= 0:
            self._delegate(message)
            return
        self._has_begun = True
        try:
            response = self._work(asked)
        except PresignSiblingsError:
            raise
        except Exception as error:
            # Powertools takes it for this record's failure; Lambda would have logged it.
            self._telemetry.error("failed", error=type(error).__name__, reason=str(error), terminal=False)
            raise
        if not response.done:
            raise _NotDoneError

    def _delegate(self, message: Message) -> None:
        """Let a sibling of its own do the job; the ledger fences it, should the message be delivered again."""
        has_time = time_left(self._context, 0) >= INVOKE_SECONDS
        reason = self._siblings().hand_over(self._context, message.alone()) if has_time else "no_time"
        if reason is not None:
            self._telemetry.warning("not_delegated", reason=reason)
            raise _NotDoneError
        self._telemetry.event("delegated")
        self._telemetry.count(SiblingsSpawned=1)
