"""Step Functions: executions of the stack's state machine, its tasks, their tokens and heartbeats."""

from __future__ import annotations

import asyncio
import json
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes import refuse

if TYPE_CHECKING:
    from tests.simulation.world import World

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:presign"
HEARTBEAT, ATTEMPTS = 600.0, 6  # as in the template


@dataclass
class Task:
    """A task that waits for its token."""

    ended: asyncio.Future[str]
    beaten: float


@dataclass
class Machine:
    """The state machine of the template, in virtual time."""

    world: World
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """No execution runs."""
        return all(each["status"] != "RUNNING" for each in self.executions.values())

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Serve a request."""
        if operation == "start_execution":
            return self._start(request["name"], request["input"])
        if operation == "describe_execution":
            name = request["executionArn"].rpartition(":")[2]
            if name not in self.executions:
                raise refuse("ExecutionDoesNotExist", operation)
            return {"status": self.executions[name]["status"]}
        task = self.tasks.get(request["taskToken"])
        if task is None or task.ended.done():
            raise refuse("TaskTimedOut", operation)
        if operation == "send_task_heartbeat":
            task.beaten = self.world.loop.time()
        else:
            task.ended.set_result(operation)
        return {}

    def _start(self, name: str, given: str) -> dict[str, Any]:
        known = self.executions.get(name)
        if known is not None and (known["status"] != "RUNNING" or known["given"] != given):
            raise refuse("ExecutionAlreadyExists", "start_execution")
        if known is None:
            self.executions[name] = {"status": "RUNNING", "given": given}
            task = self.world.loop.create_task(self._run(name, json.loads(given)), context=Context())
            self.world.keep(task)
        return {"executionArn": f"{MACHINE}:{name}"}

    async def _run(self, name: str, given: dict[str, Any]) -> None:
        items = [json.loads(line) for line in self.world.bucket.objects[given["plan"]["key"]].splitlines()]
        room = asyncio.Semaphore(given["chains"])

        async def chain(item: dict[str, Any]) -> None:
            async with room:
                await self._task(f"range {item['share']['number']}", item)

        await asyncio.gather(*map(chain, items))
        succeeded = await self._task("gather", given["job"])
        self.executions[name]["status"] = "SUCCEEDED" if succeeded else "FAILED"
        self.world.trace(None, "execution", name, self.executions[name]["status"])

    async def _task(self, name: str, payload: dict[str, Any]) -> bool:
        loop = self.world.loop
        for attempt in range(ATTEMPTS):
            token = f"token-{len(self.tasks)}"
            task = self.tasks[token] = Task(loop.create_future(), loop.time())
            self.world.queue.submit(f"{name} try {attempt + 1}", {"chain": payload, "task_token": token})
            while not task.ended.done() and loop.time() - task.beaten < HEARTBEAT:
                await asyncio.wait({task.ended}, timeout=task.beaten + HEARTBEAT - loop.time() + 0.01)
            if task.ended.done():
                return task.ended.result() == "send_task_success"
            task.ended.cancel()
            self.world.trace(None, "heartbeat missed", name)
        return False
