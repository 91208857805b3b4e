"""
The stack's own state machine on moto's interpreter: a task that reports nothing ends at its heartbeat.

Moto calls that ``States.Timeout``, and Step Functions ``States.HeartbeatTimeout``: so the retry is asserted on the
definition (``tests/unit/deploy/test_template.py``). Moto has no ``RedriveExecution``; the simulation redrives.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from tests.stack_template import definition

if TYPE_CHECKING:
    from collections.abc import Iterator

AWS: Any = {"region_name": "eu-west-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture(scope="module")
def execution() -> Iterator[tuple[Any, str]]:
    """Start the machine's last state, with a function that never reports; heartbeats are due each second."""
    with mock_aws(config={"lambda": {"use_docker": False}, "stepfunctions": {"execute_state_machine": True}}):
        role = boto3.client("iam", **AWS).create_role(RoleName="states", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as package:
            package.writestr("app.py", "def handler(event, context): return 1")
        function = boto3.client("lambda", **AWS).create_function(
            FunctionName="presign",
            Runtime="python3.12",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": code.getvalue()},
        )
        gather = definition()["States"]["Gather"]
        gather["Parameters"]["FunctionName"] = function["FunctionArn"]
        gather["HeartbeatSeconds"] = 1
        states = boto3.client("stepfunctions", **AWS)
        written = json.dumps({"StartAt": "Gather", "States": {"Gather": gather}})
        machine = states.create_state_machine(name="presign", roleArn=role, definition=written)["stateMachineArn"]
        started = states.start_execution(stateMachineArn=machine, input=json.dumps({"job": {"job_id": "one"}}))
        yield states, started["executionArn"]


def test_a_silent_task_ends_at_its_heartbeat_and_not_at_its_timeout(execution: tuple[Any, str]) -> None:
    """Its timeout is a day; the function had the token and the job."""
    states, arn = execution
    while (status := states.describe_execution(executionArn=arn)["status"]) == "RUNNING":
        pass
    events = states.get_execution_history(executionArn=arn)["events"]
    assert status == "FAILED"
    assert "TaskTimedOut" in [event["type"] for event in events]
    (scheduled,) = (event["taskScheduledEventDetails"] for event in events if event["type"] == "TaskScheduled")
    payload = json.loads(scheduled["parameters"])["Payload"]
    assert payload["chain"] == {"job_id": "one"}
    assert payload["task_token"]
