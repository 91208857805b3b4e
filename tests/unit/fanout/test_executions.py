"""An execution of the state machine that ends without its job: aborted, timed out, or failed on its own account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.machine import MACHINE
from tests.unit.fanout.conftest import KEYS

if TYPE_CHECKING:
    from tests.machine import Execution
    from tests.unit.fanout.conftest import Deployed


def end(execution: Execution, status: str) -> dict[str, Any]:
    """End an execution; return the event that EventBridge sends."""
    execution.status = status
    detail = {"stateMachineArn": MACHINE, "status": status, "input": json.dumps(execution.given), "error": None}
    return {
        "version": "0",
        "id": f"{execution.name} {status}",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "time": "2026-04-01T06:00:00Z",
        "detail": detail,
    }


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_a_dead_executions_job_parks_and_one_resume_continues_the_remaining_ranges(
    deployed: Deployed, status: str
) -> None:
    """The operator on call finds a parked job, and no job that waits for ever."""
    _, execution = deployed.submit()
    items = deployed.plan(execution)
    for item in items[:3]:
        deployed.chain(deployed.task(item))
    event = end(execution, status)
    parked = deployed.hop(event)
    assert (parked["status"], parked["reason"]) == ("parked", "chains_lost")
    assert (deployed.record["state"], deployed.hop(event)["status"]) == ("parked", "parked")

    assert deployed.hop(parked["resume"], 99)["status"] == "continued"
    second = list(deployed.states.executions.values())[-1]
    assert len(deployed.plan(second)) == len(items) - 3
    assert deployed.run(second)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_chains_that_still_work_stop_and_the_next_execution_continues_them(deployed: Deployed) -> None:
    """Their keys so far are kept."""
    deployed.pages = 1
    _, execution = deployed.submit()
    first, *_ = deployed.by_key(execution)
    deployed.hop(deployed.task(first))
    parked = deployed.hop(end(execution, "ABORTED"))
    sibling = deployed.next_sibling()
    assert sibling is not None
    stopped = deployed.hop(sibling)
    assert (stopped["status"], stopped["reason"]) == ("parked", "stopped")

    deployed.hop(parked["resume"], 99)
    assert deployed.run(list(deployed.states.executions.values())[-1])["status"] == "complete"
    assert deployed.manifest == KEYS


def test_a_redriven_execution_keeps_its_job(deployed: Deployed) -> None:
    """It was redriven before the event of its end came: neither that nor a hasty resume takes the job from it."""
    _, execution = deployed.submit()
    event = end(execution, "FAILED")
    execution.status = "RUNNING"
    assert deployed.hop(event)["status"] == "in_progress"
    payload = {**execution.given["job"], "resume": True}
    assert deployed.hop(payload)["status"] == "in_progress"
    assert deployed.run(execution)["status"] == "complete"
    assert deployed.manifest == KEYS
    assert len(deployed.states.executions) == 1


def test_a_resume_finds_by_itself_that_the_execution_has_ended(deployed: Deployed) -> None:
    """Its end's event was lost, or an older stack sends none; an operator's stop ends with it."""
    _, execution = deployed.submit()
    deployed.table.items[deployed.record["job_key"]]["stop"] = {"BOOL": True}
    execution.status = "TIMED_OUT"
    assert deployed.hop({**execution.given["job"], "resume": True}, 99)["status"] == "continued"
    assert deployed.run(list(deployed.states.executions.values())[-1])["status"] == "complete"
    assert deployed.manifest == KEYS


@pytest.mark.parametrize("given", [None, "", "{}", "[1]", '{"job": 1}', '{"job": {"job_id": "x"}}'])
def test_the_event_of_an_end_without_a_job_is_refused(deployed: Deployed, given: str | None) -> None:
    """EventBridge leaves out an input that is too long, and a rule may be of other machines."""
    event = {"detail-type": "Step Functions Execution Status Change", "detail": {"input": given}}
    answer = deployed.hop(event)
    assert answer["status"] == "invalid"
    assert not deployed.states.executions
