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
class Execution:
    """
    An execution.

    :param given:   Its input.
    :param done:    The finished ranges; a redrive starts the others.
    :param running: The coroutine that starts them.
    :param tokens:  Tokens of its tasks.
    """

    name: str
    given: str
    status: str = "RUNNING"
    error: str | None = None
    done: set[int] = field(default_factory=set)
    running: asyncio.Task[None] | None = None
    tokens: list[str] = field(default_factory=list)


@dataclass
class Machine:
    """The state machine of the template, in virtual time."""

    world: World
    executions: dict[str, Execution] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """No execution runs."""
        return all(each.status != "RUNNING" for each in self.executions.values())

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Serve a request."""
        if self.world.holds("refused"):
            raise refuse("AccessDeniedException", operation, 400)
        if operation == "start_execution":
            return self._start(request["name"], request["input"])
        if operation == "describe_execution":
            name = request["executionArn"].rpartition(":")[2]
            if name not in self.executions:
                raise refuse("ExecutionDoesNotExist", operation)
            return {"status": self.executions[name].status}
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
        if known is not None and (known.status != "RUNNING" or known.given != given):
            raise refuse("ExecutionAlreadyExists", "start_execution")
        if known is None:
            self.executions[name] = Execution(name, given)
            self._begin(self.executions[name])
        return {"executionArn": f"{MACHINE}:{name}"}

    def abort(self) -> None:
        """Abort running executions, as an operator does; half are redriven, before or after the function learns it."""
        for execution in self.executions.values():
            if execution.status == "RUNNING":
                self._end(execution, "ABORTED")
                if self.world.plan.seed % 2:
                    delay = (0.0, 30.0, 600.0)[self.world.plan.seed % 3]
                    self.world.loop.call_later(delay, self._redrive, execution, context=Context())

    def _redrive(self, execution: Execution) -> None:
        if execution.status not in {"RUNNING", "SUCCEEDED"}:
            self.world.trace(None, "execution", execution.name, "redriven")
            execution.status = "RUNNING"
            self._begin(execution)

    def _begin(self, execution: Execution) -> None:
        execution.running = self.world.loop.create_task(self._run(execution), context=Context())
        self.world.keep(execution.running)

    def _end(self, execution: Execution, status: str) -> None:
        """End an execution; EventBridge informs the function unless the job itself ended it."""
        execution.status = status
        self.world.trace(None, "execution", execution.name, status)
        if status == "ABORTED" and execution.running is not None:
            execution.running.cancel()
            for token in execution.tokens:
                self.tasks[token].ended.cancel()
        if status == "ABORTED" or (status == "FAILED" and execution.error is None):
            detail = {"detail-type": "Step Functions Execution Status Change", "detail": {"input": execution.given}}
            self.world.queue.submit("end of an execution", detail)

    async def _run(self, execution: Execution) -> None:
        given = json.loads(execution.given)
        # A missing plan fails the map, and the machine catches that: the gathering follows.
        plan = self.world.bucket.objects.get(given["plan"]["key"], b"")
        items = [json.loads(line) for line in plan.splitlines()]
        room = asyncio.Semaphore(given["chains"])

        async def chain(item: dict[str, Any]) -> None:
            async with room:
                number = item["share"]["number"]
                if await self._task(execution, f"range {number}", item) == "send_task_success":
                    execution.done.add(number)

        await asyncio.gather(*(chain(item) for item in items if item["share"]["number"] not in execution.done))
        report = await self._task(execution, "gather", given["job"])
        execution.error = report and "Parked or Failed"
        self._end(execution, "SUCCEEDED" if report == "send_task_success" else "FAILED")

    async def _task(self, execution: Execution, name: str, payload: dict[str, Any]) -> str | None:
        """Start a task until it is reported; return the report."""
        loop = self.world.loop
        for attempt in range(ATTEMPTS):
            token = f"token-{len(self.tasks)}"
            task = self.tasks[token] = Task(loop.create_future(), loop.time())
            execution.tokens.append(token)
            self.world.queue.submit(f"{name} try {attempt + 1}", {"chain": payload, "task_token": token})
            while not task.ended.done() and loop.time() - task.beaten < HEARTBEAT:
                await asyncio.wait({task.ended}, timeout=task.beaten + HEARTBEAT - loop.time() + 0.01)
            if task.ended.done():
                return task.ended.result()
            task.ended.cancel()
            self.world.trace(None, "heartbeat missed", name)
        return None
