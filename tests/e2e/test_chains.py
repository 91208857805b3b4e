"""
Several chains on the deployed stack: the template's own state machine distributes the ranges, real runtimes list them.

The emulator detects no missed heartbeat, and gives up a task whose first hop dies; the test then delivers the task's
event again, as Step Functions does.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from dev.aws import stack
from dev.tester.faults import runtimes
from tests.e2e.jobs import OVER, Job, pdf_keys

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CHAINS = 2  # the emulator runs all their ranges at once, each in a process of its own
PACE = {"Timeout": "30", "ShutdownPeriod": "28", "PageSize": "3", "ReservedConcurrency": "40"}
KILLS = 2
LOOKS, SILENT_SECONDS = 12, 15  # a task delivered too early costs a cold start, and meets a lease


@pytest.fixture
def many_at_once(own_stack: Deployed) -> Deployed:
    """Give each hop two seconds, and allow many at once."""
    stack.update(own_stack.emulator, PACE)
    functions = boto3.client("lambda", **own_stack.emulator.options)
    functions.put_function_concurrency(FunctionName=own_stack.stack.function, ReservedConcurrentExecutions=40)
    return own_stack


class Shared:
    """A job that several chains share, and the work of its state machine."""

    def __init__(self, deployed: Deployed) -> None:
        self.job = Job(deployed, chains=CHAINS, concurrency=2)
        self._deployed, options = deployed, deployed.emulator.options
        self._tables, self._s3 = boto3.client("dynamodb", **options), boto3.client("s3", **options)

    def chains(self) -> list[dict[str, Any]]:
        """Return the records of the ranges' chains."""
        items = self._tables.scan(TableName=self._deployed.stack.jobs, ConsistentRead=True)["Items"]
        found = [(item, json.loads(item["place"]["S"])) for item in items]
        return [
            {
                "key": item["job_key"],
                "state": item["state"]["S"],
                "number": place["share"]["number"],
                "is_alive": float(item.get("lease_until", {"N": "0"})["N"]) > 1000 * time.time(),
            }
            for item, place in found
            if "share" in place and place["job"]["manifest_prefix"] == self.job.place
        ]

    def kill(self) -> None:
        """Kill each runtime, and let the leases run out."""
        for pid in runtimes(self._deployed.emulator.pid, self._deployed.stack.function):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        record = self.job.record()
        if record is not None and record["state"] == "running":
            self.job.age(record["holder"])
        for chain in self.chains():
            with suppress(self._tables.exceptions.ConditionalCheckFailedException):
                self._tables.update_item(
                    TableName=self._deployed.stack.jobs,
                    Key={"job_key": chain["key"]},
                    UpdateExpression="SET lease_until = :past",
                    ConditionExpression="#state IN (:running, :handed_over)",
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues={
                        ":past": {"N": "0"},
                        ":running": {"S": "running"},
                        ":handed_over": {"S": "handed_over"},
                    },
                )

    def deliver_again(self) -> None:
        """Deliver the events of unfinished tasks again, as Step Functions does after a missed heartbeat."""
        record = self.job.record()
        if record is None or record["state"] in OVER:
            return
        chains, items = self.chains(), self.plan(record["job_id"])
        done = {chain["number"] for chain in chains if chain["state"] == "complete"}
        at_work = {chain["number"] for chain in chains if chain["is_alive"]}
        for item in items:
            if item["share"]["number"] not in done | at_work:
                self.job.start({"chain": item})
        if done >= {item["share"]["number"] for item in items}:
            self.job.start({"chain": json.loads(record["place"]), "task_token": "of an abandoned task"})

    def finish(self) -> None:
        """Deliver silent tasks again until the job is over; Lambda may give up an event that met a live lease."""
        for _ in range(LOOKS):
            with suppress(AssertionError):
                self.job.wait(lambda record: record["state"] in OVER, seconds=SILENT_SECONDS)
                return
            self.deliver_again()

    def plan(self, job_id: str) -> list[dict[str, Any]]:
        """Return the tasks of the latest execution."""
        place = f"{self.job.place}.checkpoints/{job_id}/"
        found = self._s3.list_objects_v2(Bucket=stack.BUCKET, Prefix=place)["Contents"]
        key = max(each["Key"] for each in found if each["Key"].endswith(".jsonl"))
        body = self._s3.get_object(Bucket=stack.BUCKET, Key=key)["Body"].read()
        return [json.loads(line) for line in body.splitlines()]


def test_an_aborted_execution_parks_its_job_and_one_resume_finishes_it(many_at_once: Deployed) -> None:
    """The stack's own rule invokes the function; the next execution does the rest, and succeeds with the job."""
    shared, states = Shared(many_at_once), boto3.client("stepfunctions", **many_at_once.emulator.options)
    code, answer = shared.job.ask()
    assert (code, answer["status"], answer["chains"]) == (202, "continued", CHAINS)
    states.stop_execution(executionArn=answer["execution"])
    parked = shared.job.wait_for_end("parked")
    assert parked["reason"] in {"chains_lost", "stopped"}  # a chain may have read of the end before
    done = sum(chain["state"] == "complete" for chain in shared.chains())

    code, answer = shared.job.ask({**json.loads(parked["place"]), "resume": True})
    if code == HTTPStatus.OK:  # the last ranges had ended before they read of the abort: only the gathering was left
        assert answer["status"] == "complete"
    else:
        assert (code, answer["status"]) == (202, "continued")
        assert 0 < len(shared.plan(answer["job_id"])) <= parked["ranges"] - done
        shared.job.wait_for_end("complete", parked)
        shared.job.wait(lambda _: states.describe_execution(executionArn=answer["execution"])["status"] == "SUCCEEDED")
    shared.job.prove(pdf_keys(many_at_once))
    assert len(shared.chains()) > CHAINS


def test_chains_whose_runtimes_are_killed_leave_one_exact_manifest(many_at_once: Deployed) -> None:
    """All of them at once, several times, in the middle of their ranges."""
    shared = Shared(many_at_once)
    shared.job.start()
    for _ in range(KILLS):
        shared.job.wait(
            lambda record: record["state"] in OVER or any(chain["state"] == "running" for chain in shared.chains())
        )
        shared.kill()
        shared.deliver_again()
    shared.finish()
    shared.job.wait_for_end("complete")
    shared.job.prove(pdf_keys(many_at_once))
