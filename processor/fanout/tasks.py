"""Reports to the state machine that its tasks live, and how they ended. A token is in no message."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import RetryableError, cause_code
from processor.ledger import COMPLETE, PARKED
from processor.together import together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from processor.ledger import Record

# The task has ended otherwise, or its execution has: nothing waits for the report any more.
_OVER = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})
BEAT_SECONDS = 5.0  # a renewal, which waits for it, begins 20 s before the work would stop
_MOST_CAUSE = 200  # characters; the state machine keeps the causes of all ranges


class Tasks:
    """
    Reports to the state machine.

    A record may know several tokens: those of a retry, of a redrive, of a duplicate, of an execution that has ended.
    All get a report at the same time, or the lease would wait for each; a token whose task is over gets no heartbeat.

    :param open_states: Opens a client of Step Functions.
    """

    def __init__(self, open_states: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._open = open_states
        self._over = set[str]()

    async def beat(self, record: Record) -> None:
        """Say that the work continues; a heartbeat that is lost, or would cost the lease, is followed by the next."""
        tokens = [token for token in record.tokens if token not in self._over]
        if not tokens:
            return
        with suppress(RetryableError, TimeoutError):
            async with asyncio.timeout(BEAT_SECONDS), self._open() as client:
                await together(self._sent(token, client.send_task_heartbeat(taskToken=token)) for token in tokens)

    async def end(self, record: Record) -> None:
        """
        Report how the record's work ended.

        :raises RetryableError: The report does not reach the state machine.
        """
        if not record.tokens:
            return
        async with self._open() as client:
            await together(self._sent(token, _report(client, token, record)) for token in record.tokens)

    async def _sent(self, token: str, call: Awaitable[Any]) -> None:
        try:
            await call
        except (ClientError, BotoCoreError) as error:
            if cause_code(error) in _OVER:
                self._over.add(token)
                return
            # The SDK's own message may show the token.
            raise RetryableError(f"cannot report to the state machine: {cause_code(error)}") from None


def _report(client: Any, token: str, record: Record) -> Awaitable[Any]:  # noqa: ANN401 - untyped client
    call: Awaitable[Any]
    if record.state == COMPLETE:
        output = {"job_id": record.job_id, "count": record.count}
        call = client.send_task_success(taskToken=token, output=json.dumps(output))
    else:
        error, cause = "Parked" if record.state == PARKED else "Failed", str(record.reason)[:_MOST_CAUSE]
        call = client.send_task_failure(taskToken=token, error=error, cause=cause)
    return call
