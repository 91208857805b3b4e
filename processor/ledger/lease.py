"""The lease of one hop: the only writer of the record that the hop holds, and what stops the work when it ends."""

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

    from processor.job import SiblingPayload
    from processor.ledger.ledger import Ledger
    from processor.ledger.record import Record

RENEW = LEASE / 3
MARGIN = timedelta(seconds=10)  # for what is under way when the work is stopped, and for clocks that differ


class Lease:
    """
    The lease of one hop.

    Every write goes through one lock, so that an answer that comes late never puts an older record in the place of a
    newer one. The writes themselves are conditional on holder and state.

    :param ledger: Where the lease is held.
    :param record: The record as it was claimed.
    :param clock:  UTC.
    """

    def __init__(
        self,
        ledger: Ledger,
        record: Record,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger, self._record, self._clock, self._sleep = ledger, record, clock, sleep
        self._count = record.count
        self._lock = asyncio.Lock()

    @property
    def record(self) -> Record:
        """The record as the ledger answered last, with the progress since."""
        return replace(self._record, count=self._count)

    @property
    def stop(self) -> bool:
        """Whether an operator asked the chain to stop."""
        return self._record.stop

    def progress(self, count: int) -> None:
        """
        Remember how far the work has come; the next write puts it into the record.

        :param count: Keys written so far.
        """
        self._count = count

    async def renew(self) -> None:
        """
        Keep the lease, write the progress down, and learn whether an operator asked to stop.

        :raises LeaseLostError: Another holder has the lease.
        :raises RetryableError: The ledger does not answer.
        """
        async with self._lock:
            self._take(await self._ledger.renew(self.record, self._clock()))

    async def commit(self, result: dict[str, Any], expires_at: datetime | None) -> None:
        """
        Write down what the answer will say, before the manifest appears; the lease is kept.

        :param expires_at: Earliest expiry of a URL in the manifest, UTC.
        :raises LeaseLostError: Another holder has the lease.
        """
        async with self._lock:
            self._take(await self._ledger.commit(self.record, result, expires_at, self._clock()))

    async def hand_over(self, to: SiblingPayload, expires_at: datetime | None) -> None:
        """
        Let go of the lease for the next hop, before that hop is called.

        :raises LeaseLostError: Another holder has the lease.
        """
        async with self._lock:
            self._record = await self._ledger.hand_over(self.record, to, expires_at, self._clock())

    async def park(self, to: SiblingPayload, reason: str) -> None:
        """
        End the chain for now, resumable.

        :raises LeaseLostError: Another holder has the lease.
        """
        async with self._lock:
            self._record = await self._ledger.park(self.record, to, reason, self._clock())

    async def fan_out(self, to: SiblingPayload, ranges: int) -> None:
        """
        Let go of the lease for the state machine, before it is started.

        :param ranges: Ranges that it gives to chains.
        :raises LeaseLostError: Another holder has the lease.
        """
        async with self._lock:
            self._record = await self._ledger.fan_out(self.record, to, ranges, self._clock())

    async def complete(self, to: SiblingPayload | None = None) -> None:
        """
        End the run: its manifest is there; or a range of it.

        :param to: Names the checkpoint that lists the range's pieces.
        :raises LeaseLostError: Another holder has the lease.
        """
        async with self._lock:
            self._record = await self._ledger.complete(self.record, self._clock(), to)

    async def fail(self, reason: str) -> None:
        """
        End the run for good.

        :raises LeaseLostError: Another holder has the lease.
        """
        async with self._lock:
            self._record = await self._ledger.fail(self.record, reason, self._clock())

    async def keep(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - the work's own result
        """
        Run the work while the lease is renewed.

        :raises LeaseLostError: Another holder has the lease; the work was stopped.
        :raises RetryableError: It could not be renewed in time; the work was stopped before it ended.
        """
        working, renewing = asyncio.ensure_future(work), asyncio.create_task(self._keep_renewed())
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            return (working if working.done() else renewing).result()  # the renewal ends with an error alone
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)

    async def _keep_renewed(self) -> None:
        """Renew until the lease is lost or nearly out; it may be old already, when the claim took long."""
        due = self._record.lease_until - LEASE + RENEW
        while True:
            await self._sleep(max(0.0, (due - self._clock()).total_seconds()))
            end = self._record.lease_until - MARGIN
            left = (end - self._clock()).total_seconds()
            try:
                if left <= 0:
                    raise TimeoutError  # noqa: TRY301 - as when the renewal takes too long
                async with asyncio.timeout(left):
                    await self.renew()
                due = self._record.lease_until - LEASE + RENEW
            except LeaseLostError:
                raise
            except (RetryableError, TimeoutError) as error:
                due = self._clock() + RENEW
                if due >= self._record.lease_until - MARGIN:
                    raise RetryableError(
                        f"the lease of job {self._record.job_id} cannot be renewed: the work stops before then"
                    ) from error

    def _take(self, written: Record) -> None:
        """Take the record as the ledger has it now; keys counted while it answered are not forgotten."""
        self._record, self._count = written, max(written.count, self._count)
