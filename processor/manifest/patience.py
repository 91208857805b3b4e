"""Repeats a write that fails for now: S3 may ask to slow down for minutes, and a hop would lose all that it listed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's

from processor.answers import NOT_NOW
from processor.errors import RetryableError, error_code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 5.0  # after a request that has failed for now; botocore has waited three times as long before
DROP_SECONDS = 15.0  # kept free: where writes fail until the end, so do the requests that drop what is half written
T = TypeVar("T")
_CODES = frozenset({"RequestTimeout", "ThrottlingException"})  # with S3's status 400, the second where KMS encrypts


@dataclass(slots=True)
class Patience:
    """
    How long a hop's writes wait.

    :param time_left: Seconds until the hop must stop; by default there is no time to wait.
    :param paused:    Called with the reason, once for each pause: several writes may be under way.
    """

    time_left: Callable[[], float] = lambda: 0.0
    paused: Callable[[str], None] = lambda _: None
    _until: float = field(default=0.0, init=False)

    async def keep(self, write: Callable[[], Awaitable[T]]) -> T:
        """
        Write, and where that fails for now, try again after a pause while there is time.

        :param write: Makes the request; it may be made twice.
        :raises PresignSiblingsError: As the last try that was answered.
        """
        try:
            return await write()
        except RetryableError as error:
            failed = error
        while _passes(failed) and (seconds := self.time_left() - DROP_SECONDS - PAUSE_SECONDS) > 0:
            await self._pause(str(failed))
            try:
                async with asyncio.timeout(seconds):
                    return await write()
            except RetryableError as error:
                failed = error
            except TimeoutError:
                break
        raise failed

    async def _pause(self, reason: str) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self.paused(reason)
            self._until = now + PAUSE_SECONDS
        await asyncio.sleep(PAUSE_SECONDS)


def _passes(error: RetryableError) -> bool:
    """Return whether S3 was busy or not reached; what it refuses, it would refuse again."""
    cause = error.__cause__
    if isinstance(cause, ClientError):
        return cause.response["ResponseMetadata"]["HTTPStatusCode"] in NOT_NOW or error_code(cause) in _CODES
    return isinstance(cause, ConnectionError | HTTPClientError)
