"""
Asks AWS again, within the time left, when AWS is busy or does not answer.

botocore's own retries know no deadline: three tries that time out would outlast the seconds kept free for a hand-over.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import error_code, is_of_server

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 5
FIRST_WAIT = 0.2  # seconds, by half more or less; doubled each time, 3 s in all
TRY_SECONDS = 3.0  # a try that hangs takes this long (connecting and reading, processor/siblings/manager.py)
BUSY = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded"}
)


def is_busy(error: ClientError | BotoCoreError) -> bool:
    """Return whether the service was too busy to do anything: even what must not be done twice may be tried."""
    return isinstance(error, ClientError) and error_code(error) in BUSY


def passes(error: ClientError | BotoCoreError) -> bool:
    """Return whether the same request may succeed a moment later."""
    return isinstance(error, BotoCoreError) or is_busy(error) or is_of_server(error)


def call(
    call: Callable[..., Any],
    time_left: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
    again: Callable[[ClientError | BotoCoreError], bool] = passes,
    **request: Any,  # noqa: ANN401 - each operation has its own fields
) -> Any:  # noqa: ANN401 - as the request
    """
    Call an operation until it answers, refuses for good, or the time is up; call it at least once.

    :param call:      Operation of a client that does not retry by itself.
    :param time_left: Seconds until an answer comes too late.
    :param again:     Whether the same request may be made once more, after an error.
    :raises ClientError: AWS refused the call.
    :raises BotoCoreError: AWS did not answer.
    """
    for tried in range(TRIES - 1):
        # Chains that began together hand over together, and must not repeat their calls together.
        wait = FIRST_WAIT * 2**tried * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        try:
            return call(**request)
        except (ClientError, BotoCoreError) as error:
            if not again(error) or time_left() < wait + TRY_SECONDS:
                raise
        sleep(wait)
    return call(**request)
