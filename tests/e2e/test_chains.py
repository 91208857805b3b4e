"""
Several chains on the deployed stack: the template's own state machine gives out the ranges, real runtimes list them.

The emulator misses no heartbeat, and gives up a task whose first hop dies; the test then delivers the task's event once
more, as Step Functions does.
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
LOOKS, SILENT_SECONDS = 12, 15  # what is given out too early costs a cold start, and meets a lease


@pytest.fixture
def wide(apart: Deployed) -> Deployed:
    """Give each hop two seconds, and room for many at once."""
    stack.update(apart.emulator, PACE)
    functions = boto3.client("lambda", **apart.emulator.options)
    functions.put_function_concurrency(FunctionName=apart.stack.function, ReservedConcurrentExecutions=40)
    return apart


class Shared:
    """A job that several chains share, with what its state machine does."""

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
        """Kill every runtime; wait, as it were, until the leases have run out."""
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

    def give_out_again(self) -> None:
        """Deliver the events of the tasks that are not done, as Step Functions does for a heartbeat that is missed."""
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
            self.job.start({"chain": json.loads(record["place"]), "task_token": "of a task that nobody waits for"})

    def finish(self) -> None:
        """Give out again whatever is silent, until the job is over; an event that met a live lease may be given up."""
        for _ in range(LOOKS):
            with suppress(AssertionError):
                self.job.wait(lambda record: record["state"] in OVER, seconds=SILENT_SECONDS)
                return
            self.give_out_again()

    def plan(self, job_id: str) -> list[dict[str, Any]]:
        """Return what the latest execution gives out."""
        place = f"{self.job.place}.checkpoints/{job_id}/"
        found = self._s3.list_objects_v2(Bucket=stack.BUCKET, Prefix=place)["Contents"]
        key = max(each["Key"] for each in found if each["Key"].endswith(".jsonl"))
        body = self._s3.get_object(Bucket=stack.BUCKET, Key=key)["Body"].read()
        return [json.loads(line) for line in body.splitlines()]


def test_an_execution_that_is_aborted_parks_its_job_and_one_resume_finishes_it(wide: Deployed) -> None:
    """The stack's own rule tells the function; the next execution gives out what is left, and succeeds with the job."""
    shared, states = Shared(wide), boto3.client("stepfunctions", **wide.emulator.options)
    code, answer = shared.job.ask()
    assert (code, answer["status"], answer["chains"]) == (202, "continued", CHAINS)
    states.stop_execution(executionArn=answer["execution"])
    parked = shared.job.wait_for_end("parked")
    assert parked["reason"] in {"chains_lost", "stopped"}  # a chain may have heard of the end before
    done = sum(chain["state"] == "complete" for chain in shared.chains())

    code, answer = shared.job.ask({**json.loads(parked["place"]), "resume": True})
    if code == HTTPStatus.OK:  # the last ranges had ended before they heard of the abort: only the joining was left
        assert answer["status"] == "complete"
    else:
        assert (code, answer["status"]) == (202, "continued")
        assert 0 < len(shared.plan(answer["job_id"])) <= parked["ranges"] - done
        shared.job.wait_for_end("complete", parked)
        shared.job.wait(lambda _: states.describe_execution(executionArn=answer["execution"])["status"] == "SUCCEEDED")
    shared.job.prove(pdf_keys(wide))
    assert len(shared.chains()) > CHAINS


def test_chains_whose_runtimes_are_killed_leave_one_exact_manifest(wide: Deployed) -> None:
    """All of them at once, several times, in the midst of their ranges."""
    shared = Shared(wide)
    shared.job.start()
    for _ in range(KILLS):
        shared.job.wait(
            lambda record: record["state"] in OVER or any(chain["state"] == "running" for chain in shared.chains())
        )
        shared.kill()
        shared.give_out_again()
    shared.finish()
    shared.job.wait_for_end("complete")
    shared.job.prove(pdf_keys(wide))
