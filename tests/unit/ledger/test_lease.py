"""A holder that cannot renew stops before its lease ends, and writes nothing more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from processor.errors import LeaseLostError, RetryableError
from processor.ledger import RUNNING, Lease, Record, Unfenced
from processor.ledger import lease as module
from processor.ledger.record import LEASE
from tests.builders import claim, record_of, run_of
from tests.conftest import NOW


class Table:
    """A ledger with scripted renewals, and a clock that only waiting moves."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.now, self.renewals = list(answers), NOW, 0
        self.counts: list[int] = []
        self.times: list[datetime] = []

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    async def renew(self, record: Record, now: datetime) -> Record:
        self.renewals += 1
        self.counts.append(record.count)
        self.times.append(now)
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return replace(record, lease_until=now + LEASE, **answer)


async def keep(table: Table, work: Any, left: timedelta = LEASE) -> tuple[Any, Lease]:
    """Run work under a lease with the given time left."""
    ledger: Any = table
    lease = Lease(ledger, record_of(RUNNING, lease_until=NOW + left), table.clock, table.sleep)
    return await lease.keep(work(lease)), lease


async def for_ever(_: Lease) -> None:
    """Work without end."""
    await asyncio.Event().wait()


def test_the_lease_is_renewed_while_the_work_runs() -> None:
    """Each renewal reports the keys written so far, for ``status`` and ``watch``."""
    table = Table()

    async def until_renewed(lease: Lease) -> str:
        lease.progress(4000)
        while table.renewals < 5:  # noqa: ASYNC110 - the test waits for the renewals
            await asyncio.sleep(0)
        return "done"

    assert asyncio.run(keep(table, until_renewed))[0] == "done"
    assert set(table.counts) == {4000}
    assert {later - earlier for earlier, later in pairwise(table.times)} == {module.RENEW}


def test_a_lost_lease_stops_the_work() -> None:
    """The hop ends at once."""
    with pytest.raises(LeaseLostError):
        asyncio.run(keep(Table({}, LeaseLostError("other hands")), for_ever))


def test_work_that_a_lost_lease_stops_has_ended_before_anything_follows() -> None:
    """Its last writes, during the cancellation, come before the next holder's retry."""

    async def stopped() -> list[str]:
        ends = list[str]()

        async def slowly(_: Lease) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                for _turn in range(3):
                    await asyncio.sleep(0)
                ends.append("ended")

        with pytest.raises(LeaseLostError):
            await keep(Table(LeaseLostError("another")), slowly)
        return ends

    assert asyncio.run(stopped()) == ["ended"]


def test_the_work_stops_before_the_lease_ends_when_the_table_is_silent() -> None:
    """One lost renewal is tolerated, not all."""
    table = Table(*[RetryableError("no answer")] * 99)
    with pytest.raises(RetryableError, match="cannot be renewed"):
        asyncio.run(keep(table, for_ever))
    assert table.now < NOW + LEASE
    assert table.renewals == 2


def test_after_a_slow_claim_the_lease_is_renewed_at_once() -> None:
    """The lease counts from before the claim (the simulation found writes after its end)."""
    table = Table()

    async def until_renewed(_: Lease) -> str:
        while not table.renewals:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        return "done"

    assert asyncio.run(keep(table, until_renewed, timedelta(seconds=14)))[0] == "done"
    assert table.times[0] == NOW
    with pytest.raises(RetryableError, match="cannot be renewed"):
        asyncio.run(keep(Table(), for_ever, timedelta(seconds=9)))


def test_the_work_continues_when_a_renewal_succeeds_after_a_failed_one() -> None:
    """A passing fault costs nothing."""
    table = Table(RetryableError("no answer"), {}, RetryableError("no answer"), {})

    async def until_renewed(_: Lease) -> str:
        while table.renewals < 6:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        return "done"

    assert asyncio.run(keep(table, until_renewed))[0] == "done"


def test_keys_written_during_a_renewal_are_reported_by_the_next_one() -> None:
    """The answer has the number that was sent with it."""
    table = Table()
    ledger: Any = table
    lease = Lease(ledger, record_of(RUNNING), table.clock, table.sleep)

    async def renew(record: Record, now: datetime) -> Record:
        lease.progress(5000)
        return await Table.renew(table, record, now)

    async def twice() -> None:
        ledger.renew = renew
        lease.progress(4000)
        await lease.renew()
        del ledger.renew
        await lease.renew()

    asyncio.run(twice())
    assert table.counts == [4000, 5000]


def test_work_that_ends_as_its_lease_is_lost_has_ended() -> None:
    """Its manifest exists; a repeated event would find nothing to do."""

    async def at_once(_: Lease) -> str:
        await asyncio.sleep(0)
        return "done"

    lost = Table(LeaseLostError("other hands"))
    assert asyncio.run(keep(lost, at_once, timedelta(seconds=14)))[0] == "done"
    assert lost.renewals == 1


def test_an_operators_stop_is_seen_with_the_next_renewal() -> None:
    """The renewal's answer carries it."""
    table = Table({}, {"stop": True})

    async def until_stopped(lease: Lease) -> bool:
        while not lease.stop:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
        return True

    assert asyncio.run(keep(table, until_stopped))[0] is True


def test_an_error_of_the_work_is_raised_unchanged() -> None:
    """Only a lost lease has an error of its own."""

    async def fail(_: Lease) -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        asyncio.run(keep(Table(), fail))


def test_margin__leaves_time_for_clocks_that_differ() -> None:
    """The lease of 45 s is renewed three times in its length."""
    assert timedelta(seconds=45) == LEASE
    assert timedelta(seconds=10) == module.MARGIN


def test_without_a_table_no_clock_ends_a_lease() -> None:
    """A sibling works for minutes; a laptop sleeps for a night within its hop, and its clock is set back later."""
    clock = Table()

    async def through_the_night(_: Lease) -> str:
        for jump in (timedelta(minutes=10), timedelta(hours=8), timedelta(hours=-1)):
            clock.now += jump
            for _turn in range(10):
                await asyncio.sleep(0)
        return "done"

    async def run() -> str:
        ledger = Unfenced()
        record = (await ledger.claim(claim(run_of()))).record
        lease = Lease(ledger, record, clock.clock, lambda _: asyncio.sleep(0))
        return str(await lease.keep(through_the_night(lease)))

    assert asyncio.run(run()) == "done"
