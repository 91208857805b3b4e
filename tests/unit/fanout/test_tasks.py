"""What the tasks of the state machine hear, where a record knows several tokens."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from processor.fanout.tasks import Tasks
from tests.fakes import refuse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Machine:
    """Answers heartbeats once all tokens that live have been asked."""

    def __init__(self, together: int) -> None:
        self.asked: list[str] = []
        self._together = asyncio.Barrier(together)

    async def send_task_heartbeat(self, **asked: Any) -> None:
        self.asked.append(asked["taskToken"])
        async with asyncio.timeout(10):
            await self._together.wait()
        if asked["taskToken"].startswith("over"):
            raise refuse("TaskTimedOut", status=400)


def test_all_tokens_hear_of_a_heartbeat_at_once_and_one_whose_task_is_over_hears_no_more() -> None:
    """Each start of an execution leaves a token behind: one after the other, they outlasted a hop on a slow network."""
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
