"""A handler on a bucket, a jobs table and a state machine in memory; the test acts as Step Functions and Lambda."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.behind import PART, put_behind
from tests.fakes import FakeS3, LambdaContext
from tests.machine import MACHINE, Execution, States
from tests.simulation.dynamo import FakeDynamo

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes import Siblings

JOB = {"bucket": "reports", "prefix": "2026/", "page_size": 10, "chains": 4}
KEYS = [f"2026/{number:04}.pdf" for number in range(400)]


@dataclass
class Deployed:
    """
    A deployment in memory for a job of several chains.

    :param seconds: Seconds that the clock has advanced.
    :param pages:   Pages that each hop has time for.
    """

    call: Callable[..., dict[str, Any]]
    siblings: Siblings
    s3: FakeS3
    table: FakeDynamo = field(default_factory=FakeDynamo)
    states: States = field(default_factory=States)
    seconds: float = 0.0
    pages: int = 3
    hops: int = 0

    def submit(self, **fields: Any) -> tuple[dict[str, Any], Execution]:
        """Submit the job; return the answer, and the latest execution."""
        answer = self.hop({**JOB, **fields}, 99)
        return answer, list(self.states.executions.values())[-1]

    def hop(self, event: dict[str, Any], pages: int | None = None) -> dict[str, Any]:
        """Deliver an event once, to a hop with time for the given pages."""
        self.hops += 1
        pages = pages or self.pages
        context = LambdaContext(
            aws_request_id=f"request {self.hops}", ticks=[900.0] * (pages - 1) + [9.0], remaining_seconds=9.0
        )
        answer: dict[str, Any] = self.call(event, context)["body"]
        return answer

    def chain(self, event: dict[str, Any]) -> dict[str, Any]:
        """Deliver an event, and the siblings that follow; return the last answer."""
        answer = self.hop(event)
        while (payload := self.next_sibling()) is not None:
            answer = self.hop(payload)
        return answer

    def next_sibling(self) -> dict[str, Any] | None:
        """Take the next sibling's event."""
        return json.loads(self.siblings.requests.pop(0)["Payload"]) if self.siblings.requests else None

    def plan(self, execution: Execution) -> list[dict[str, Any]]:
        """Return the items of an execution's map."""
        place = execution.given["plan"]
        return [json.loads(line) for line in self.s3.objects[place["key"]].decode().splitlines()]

    def by_key(self, execution: Execution) -> list[dict[str, Any]]:
        """Return the items of an execution's map in the order of their keys."""
        return sorted(self.plan(execution), key=lambda item: str(item["share"]["after"]))

    def task(self, payload: dict[str, Any], token: str | None = None) -> dict[str, Any]:
        """Return the event of a task."""
        return {"chain": payload, "task_token": token or self.states.token()}

    def run(self, execution: Execution) -> dict[str, Any]:
        """Run an execution to its end, one range after the other; return the gathering hop's last answer."""
        for item in self.plan(execution):
            self.chain(self.task(item))
        return self.gather(execution)

    def gather(self, execution: Execution) -> dict[str, Any]:
        """Run the execution's last state."""
        token = self.states.token()
        answer = self.chain(self.task(execution.given["job"], token))
        how = self.states.tasks[token]
        execution.status = "RUNNING" if how is None else "SUCCEEDED" if how[0] == "success" else "FAILED"
        return answer

    @property
    def record(self) -> dict[str, Any]:
        """The job's own record."""
        (item,) = (item for item in self.table.items.values() if "share" not in json.loads(item["place"]["S"]))
        return {name: next(iter(value.values())) for name, value in item.items()}

    @property
    def manifest(self) -> list[str]:
        """The keys of the one manifest."""
        (key,) = (key for key in self.s3.objects if key.endswith(".jsonl") and "/.checkpoints/" not in key)
        return [json.loads(line)["key"] for line in self.s3.objects[key].decode().splitlines()]


@pytest.fixture
def deployed(handler: Callable[..., dict[str, Any]], siblings: Siblings, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """Give the Processor all of it."""
    made = Deployed(handler, siblings, FakeS3(list(KEYS), min_part=PART))

    put_behind(monkeypatch, made, states=made.states.open)
    monkeypatch.setenv("STATE_MACHINE_ARN", MACHINE)
    return made
