"""Every trigger may start a job of several chains, and is notified once of its end."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from processor import app
from processor.errors import ArchivedError, ChainFailedError
from processor.sosw_base import HAS_TASKS
from tests.fakes import LambdaContext
from tests.unit.fanout.conftest import JOB, KEYS

if TYPE_CHECKING:
    from tests.machine import Execution
    from tests.unit.fanout.conftest import Deployed

needs_tasks = pytest.mark.skipif(not HAS_TASKS, reason="sosw 3 has no tasks")
EVENTS = Path(__file__).parents[2] / "events"


def latest(deployed: Deployed) -> Execution:
    """Return the latest execution."""
    found: Execution = list(deployed.states.executions.values())[-1]
    return found


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record how sosw's tasks are closed."""
    found: list[str] = []
    monkeypatch.setattr(app.Processor, "mark_task_as_completed", lambda _, task_id: found.append(f"done {task_id}"))
    monkeypatch.setattr(app.Processor, "mark_task_as_failed", lambda _, task_id: found.append(f"failed {task_id}"))
    return found


def test_queue__a_message_is_done_once_the_chains_are_started(deployed: Deployed) -> None:
    """Delivered twice, it starts nothing; the chains end the job without the queue."""
    message: dict[str, Any] = json.loads((EVENTS / "sqs.json").read_text())
    record = message["Records"][0] | {"messageId": "m-1", "body": json.dumps(JOB)}
    poison = copy.deepcopy(record) | {"messageId": "m-2", "body": json.dumps(JOB | {"chains": 257})}
    batch = {"Records": [record, poison]}
    for _ in range(2):
        answer = app.lambda_handler(batch, LambdaContext(ticks=[900.0] * 99, remaining_seconds=900.0))
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m-2"}]}
        assert len(deployed.states.executions) == 1
    assert deployed.run(latest(deployed))["count"] == len(KEYS)
    assert deployed.manifest == KEYS


@needs_tasks
def test_task__is_closed_once_by_the_gathering_hop(deployed: Deployed, closed: list[str]) -> None:
    """Neither by the hop that divides the job, nor by a chain at the end of its range."""
    _, execution = deployed.submit(task_id="t")
    for item in deployed.plan(execution):
        deployed.chain(deployed.task(item))
    assert closed == []
    assert deployed.gather(execution)["status"] == "complete"
    assert closed == ["done t"]


@needs_tasks
def test_task__is_failed_once_by_the_gathering_hop(deployed: Deployed, closed: list[str]) -> None:
    """Even if a chain failed."""
    _, execution = deployed.submit(task_id="t")

    async def archived(operation: str, _: object) -> None:
        if operation == "list":
            raise ArchivedError("it is archived")

    deployed.s3.before = archived
    with pytest.raises(ArchivedError):
        deployed.chain(deployed.task(deployed.plan(execution)[0]))
    assert closed == []
    with pytest.raises(ChainFailedError):
        deployed.gather(execution)
    assert closed == ["failed t"]


def test_schedule__starts_as_many_chains_as_the_environment_says(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delivered twice, it starts them once."""
    for name in ("bucket", "prefix", "page_size", "chains"):
        monkeypatch.setenv({"bucket": "BUCKET_NAME"}.get(name, name.upper()), str(JOB[name]))
    event = json.loads((EVENTS / "scheduled.json").read_text())
    answers = [deployed.hop(event, 99) for _ in range(2)]
    assert [answer["status"] for answer in answers] == ["continued", "in_progress"]
    assert len(deployed.states.executions) == 1
    assert deployed.run(latest(deployed))["count"] == len(KEYS)
