"""
Asks AWS again, within the time left, when AWS is busy or does not answer.

botocore's own retries know no deadline: three tries that time out would outlast the seconds kept free for a hand-over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 5
FIRST_WAIT = 0.2  # seconds; doubled each time, 3 s in all
TRY_SECONDS = 3.0  # a try that hangs takes this long (connecting and reading, processor/siblings/manager.py)
BUSY = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded"}
)


def call(
    call: Callable[..., Any],
    time_left: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
    **request: Any,  # noqa: ANN401 - each operation has its own fields
) -> Any:  # noqa: ANN401 - as the request
    """
    Call an operation until it answers, refuses for good, or the time is up; call it at least once.

    :param call:      Operation of a client that does not retry by itself.
    :param time_left: Seconds until an answer comes too late.
    :raises ClientError: AWS refused the call.
    :raises BotoCoreError: AWS did not answer.
    """
    wait = FIRST_WAIT
    for _ in range(TRIES - 1):
        try:
            return call(**request)
        except (ClientError, BotoCoreError) as error:
            if not _passes(error) or time_left() < wait + TRY_SECONDS:
                raise
        sleep(wait)
        wait *= 2
    return call(**request)


def _passes(error: ClientError | BotoCoreError) -> bool:
    """Return whether the same request may succeed a moment later."""
    if isinstance(error, BotoCoreError):
        return True
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return error_code(error) in BUSY or status >= 500  # noqa: PLR2004 - the server's own faults
