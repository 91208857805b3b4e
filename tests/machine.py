"""Step Functions in memory: executions that the test advances, and tasks with their reports."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from tests.fakes import refuse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:presign"


@dataclass
class Execution:
    """One execution, as it was started."""

    name: str
    given: dict[str, Any]
    status: str = "RUNNING"


@dataclass
class States:
    """
    A client of Step Functions.

    :param before: Called before an operation; an exception of the test there is a refusal.
    :param tasks:  Report of each task: ``None`` while it waits.
    """

    executions: dict[str, Execution] = field(default_factory=dict)
    tasks: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    beats: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda _: None
    _numbers: Iterator[int] = field(default_factory=count)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[States]:
        """Open the client."""
        yield self

    async def start_execution(self, **asked: Any) -> dict[str, Any]:
        """Start an execution; the same name and input again return the same one."""
        self.before("start_execution")
        assert asked.pop("stateMachineArn") == MACHINE
        name, given = asked.pop("name"), json.loads(asked.pop("input"))
        assert not asked
        assert len(name) <= 80
        known = self.executions.get(name)
        if known is not None and (known.status != "RUNNING" or known.given != given):
            raise refuse("ExecutionAlreadyExists")
        self.executions.setdefault(name, Execution(name, given))
        return {"executionArn": name}

    async def describe_execution(self, **asked: Any) -> dict[str, Any]:
        """Return an execution's status."""
        self.before("describe_execution")
        name = asked["executionArn"].rpartition(":")[2]
        if name not in self.executions:
            raise refuse("ExecutionDoesNotExist")
        return {"status": self.executions[name].status}

    async def send_task_success(self, **asked: Any) -> dict[str, Any]:
        """Report a task's success."""
        return self._end("send_task_success", asked, ("success", asked.get("output", "")))

    async def send_task_failure(self, **asked: Any) -> dict[str, Any]:
        """Report a task's failure."""
        return self._end("send_task_failure", asked, (asked.get("error", ""), asked.get("cause", "")))

    async def send_task_heartbeat(self, **asked: Any) -> dict[str, Any]:
        """Keep a task alive."""
        self.before("send_task_heartbeat")
        self.beats.append(asked["taskToken"])
        return {}

    def token(self) -> str:
        """Begin a task."""
        token = f"AQC8AAAAKgAA-secret-{next(self._numbers)}"
        self.tasks[token] = None
        return token

    def _end(self, operation: str, asked: dict[str, Any], how: tuple[str, str]) -> dict[str, Any]:
        self.before(operation)
        token = asked["taskToken"]
        if self.tasks.get(token, how) is not None:
            raise refuse("TaskTimedOut")
        self.tasks[token] = how
        return {}
