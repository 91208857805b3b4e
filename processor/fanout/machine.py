"""The state machine that gives the ranges of a job to chains of siblings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processor.causes import why
from processor.errors import RetryableError, cause_code, error_code, is_of_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from processor.job import SiblingPayload

_STARTED = "ExecutionAlreadyExists"
_MISSING = "ExecutionDoesNotExist"
_RUNNING = frozenset({"RUNNING", "PENDING_REDRIVE"})
_BUSY = frozenset({"ThrottlingException", "ServiceQuotaExceededException", "ExecutionLimitExceeded"})


class StateMachine:
    """
    A state machine of Step Functions.

    :param arn:         ARN of the state machine.
    :param open_states: Opens a client of Step Functions.
    """

    def __init__(self, arn: str, open_states: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._arn, self._open = arn, open_states

    def execution(self, place: SiblingPayload) -> str:
        """Return the ARN of the execution that continues from a place; the first has the run's id as its name."""
        return f"{self._arn.replace(':stateMachine:', ':execution:')}:{_name(place)}"

    async def start(self, place: SiblingPayload, plan_key: str, refused: Callable[[str, str], None]) -> str | None:
        """
        Start an execution; starting it twice starts it once.

        :param place:    Where the job continues when all of its ranges are done.
        :param plan_key: Key of the object that holds the ranges.
        :param refused:  Takes the code and the words of a refusal, for the log: the reason to park has the code alone.
        :return: Why it does not start, or ``None``.
        :raises RetryableError: Whether it has started is not known, Step Functions is busy, or the execution of that
            name has ended before.
        """
        given = {
            "job": place.to_payload(),
            "plan": {"bucket": place.job.manifest_bucket, "key": plan_key},
            "chains": place.job.chains,
        }
        try:
            async with self._open() as client:
                await client.start_execution(stateMachineArn=self._arn, name=_name(place), input=json.dumps(given))
        except ClientError as error:
            code = error_code(error)
            if code in _BUSY or is_of_server(error):
                raise RetryableError(f"cannot start the state machine: {why(error)}") from error
            if code != _STARTED:
                refused(code, why(error))
                return f"execution_refused: {code}"
            if await self.has_ended(place):  # the jobs table was emptied, and the event came again
                message = f"execution {_name(place)} has ended: the next try of the event starts another"
                raise RetryableError(message) from error
        except BotoCoreError as error:
            raise RetryableError(f"cannot start the state machine: {why(error)}") from error
        return None

    async def has_ended(self, place: SiblingPayload) -> bool:
        """
        Return whether the execution of a place has ended, or never began.

        :raises RetryableError: Step Functions does not answer.
        """
        try:
            async with self._open() as client:
                found = await client.describe_execution(executionArn=self.execution(place))
        except (ClientError, BotoCoreError) as error:
            if cause_code(error) == _MISSING:
                return True
            raise RetryableError(f"cannot ask for the state machine's execution: {why(error)}") from error
        return found["status"] not in _RUNNING


def _name(place: SiblingPayload) -> str:
    """Return an execution's name: a later start of the same run is another one."""
    return place.job_id if place.hop == 1 else f"{place.job_id}-{place.hop}"
