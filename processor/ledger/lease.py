"""Keeps a hop's lease while it works, and stops the work before the lease ends when it cannot."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from processor.errors import LeaseLostError, RetryableError
from processor.ledger.record import LEASE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from datetime import datetime

    from processor.ledger.dynamodb import Ledger
    from processor.ledger.record import Record

RENEW = LEASE / 3
MARGIN = timedelta(seconds=10)  # for what is under way when the work is stopped, and for clocks that differ


class Lease:
    """
    The lease of one hop.

    :param ledger:    Where it is held.
    :param record:    The record as it was claimed.
    :param clock:     UTC.
    :param next_part: First part number that this hop will not have used for a while.

    ``count``, keys written so far, is set from outside; renewals write it down.
    """

    def __init__(
        self,
        ledger: Ledger,
        record: Record,
        clock: Callable[[], datetime],
        next_part: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.record, self._sleep = record, sleep
        self._ledger, self._clock, self.next_part = ledger, clock, next_part
        self._until, self.count = record.lease_until, record.count

    @property
    def stop(self) -> bool:
        """Whether a person asked the chain to stop."""
        return self.record.stop

    async def keep(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - the work's own result
        """
        Run the work while the lease is renewed.

        :raises LeaseLostError: Another holder has the lease; the work was stopped.
        :raises RetryableError: It could not be renewed in time; the work was stopped before it ended.
        """
        working, renewing = asyncio.ensure_future(work), asyncio.create_task(self._renew())
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            renewing.result()
            raise LeaseLostError(f"job {self.record.job_id} is in other hands")
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)

    async def _renew(self) -> None:
        """Renew until the lease is lost or nearly out; it may be old already, when the claim took its time."""
        due = self._until - LEASE + RENEW
        while True:
            await self._sleep(max(0.0, (due - self._clock()).total_seconds()))
            left = (self._until - MARGIN - self._clock()).total_seconds()
            try:
                if left <= 0:
                    raise TimeoutError  # noqa: TRY301 - as when the renewal takes too long
                async with asyncio.timeout(left):
                    record = replace(self.record, count=self.count)
                    self.record = await self._ledger.renew(record, self._clock(), self.next_part())
                self._until = self.record.lease_until
                due = self._until - LEASE + RENEW
            except LeaseLostError:
                raise
            except (RetryableError, TimeoutError) as error:
                if self._clock() + RENEW >= self._until - MARGIN:
                    raise RetryableError("the lease cannot be renewed: the work stops before it ends") from error
                due = self._clock() + RENEW
