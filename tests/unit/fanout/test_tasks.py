"""Which tokens of a record get the heartbeats of the state machine's tasks."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from processor.events import One, Surroundings
from processor.fanout.reporting_ledger import ReportingLedger
from processor.fanout.tasks import Tasks
from processor.ledger import Claim, Lease, Record
from processor.ledger.record import LEASE
from tests.conftest import NOW
from tests.fakes import refuse
from tests.simulation.loop import VirtualLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime


class Machine:
    """Answers heartbeats once all live tokens have been sent."""

    def __init__(self, together: int) -> None:
        self.asked: list[str] = []
        self._together = asyncio.Barrier(together)

    async def send_task_heartbeat(self, **asked: Any) -> None:
        self.asked.append(asked["taskToken"])
        async with asyncio.timeout(10):
            await self._together.wait()
        if asked["taskToken"].startswith("over"):
            raise refuse("TaskTimedOut", status=400)


def test_all_tokens_get_a_heartbeat_at_once_and_one_whose_task_is_over_gets_no_more() -> None:
    """Each start of an execution adds a token: one after the other, they outlasted a hop on a slow network."""
    record: Any = SimpleNamespace(tokens=("over 1", "over 2", "lives"))

    async def beat_twice() -> list[list[str]]:
        machines = [Machine(3), Machine(1)]
        found = list(machines)

        @asynccontextmanager
        async def opened() -> AsyncIterator[Machine]:
            yield found.pop(0)

        tasks = Tasks(opened)
        await tasks.beat(record)
        await tasks.beat(record)
        return [sorted(machine.asked) for machine in machines]

    assert asyncio.run(beat_twice()) == [["lives", "over 1", "over 2"], ["lives"]]


def test_a_silent_state_machine_costs_no_chain_its_lease() -> None:
    """The SDK tries for 27 s: all chains stopped their work, though the table had renewed their leases."""

    class Silent:
        async def send_task_heartbeat(self, **_: Any) -> None:
            await asyncio.sleep(27)
            raise ConnectTimeoutError(endpoint_url="https://states")

    class Table:
        async def renew(self, record: Record, now: datetime) -> Record:
            return replace(record, lease_until=now + LEASE)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Silent]:
        yield Silent()

    loop = VirtualLoop()
    place: Any = SimpleNamespace(share=None, job_id="a-b")
    record = Record(
        job_key="a", state="running", place=place, holder="h", lease_until=NOW + LEASE, runs=(), tokens=("t",)
    )
    table: Any = Table()
    lease = Lease(ReportingLedger(table, Tasks(opened)), record, lambda: NOW + timedelta(seconds=loop.time()))
    try:
        loop.run_until_complete(lease.keep(asyncio.sleep(300)))
    finally:
        loop.close()
    assert lease.record.lease_until > NOW + timedelta(seconds=300)


@pytest.mark.parametrize("kind", [Surroundings, One, Claim, Record])
def test_a_token_is_not_shown_where_what_holds_it_is(kind: type) -> None:
    """Whoever has a task's token may end the task; a traceback or a message may show the value that holds it."""
    held = [each for each in fields(kind) if each.name in {"token", "tokens"}]
    assert [each.repr for each in held] == [False]
