"""Each way to start a job on the deployed stack: a queue, rules, an operator; and how its end is reported."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest

from dev.aws import stack
from tests.e2e.jobs import Job, eventually, pdf_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e

VISIBILITY_SECONDS = 4
POISON = json.dumps({"expiry_seconds": "for ever"})


class Queues:
    """The stack's queues, as a sender and an operator see them."""

    def __init__(self, deployed: Deployed) -> None:
        self.stack = deployed.stack
        self.sqs = boto3.client("sqs", **deployed.emulator.options)
        self._functions = boto3.client("lambda", **deployed.emulator.options)

    def send(self, *bodies: str) -> None:
        """Send messages so that they arrive in one batch."""
        (mapping,) = self._functions.list_event_source_mappings(FunctionName=self.stack.live)["EventSourceMappings"]
        self._functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        entries: Any = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        assert len(self.sqs.send_message_batch(QueueUrl=self.stack.queue, Entries=entries)["Successful"]) == len(bodies)
        self._functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def take(self, url: str) -> list[str]:
        """Take all messages from a queue."""
        bodies = []
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                bodies.append(str(message["Body"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def give_up_after(self, tries: int) -> None:
        """Move messages into the dead-letter queue after this many tries."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.stack.queue, AttributeNames=["RedrivePolicy"])
        policy = {**json.loads(found["Attributes"]["RedrivePolicy"]), "maxReceiveCount": tries}
        self.sqs.set_queue_attributes(QueueUrl=self.stack.queue, Attributes={"RedrivePolicy": json.dumps(policy)})

    def left(self) -> int:
        """Count the messages in the jobs' queue, and those under way."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.stack.queue, AttributeNames=names)["Attributes"]
        return sum(int(number) for number in found.values())


@pytest.fixture
def queues(roomy: Deployed) -> Iterator[Queues]:
    """
    Retry messages after seconds, where the stack waits for six times the function's timeout.

    On a busy machine a message may come again while it is worked on; therefore only the test gives messages up.
    """
    found = Queues(roomy)
    url = found.stack.queue
    before = found.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy", "VisibilityTimeout"])
    found.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})
    found.give_up_after(1000)
    yield found
    found.sqs.set_queue_attributes(QueueUrl=url, Attributes=before["Attributes"])


def test_a_batch_with_a_poison_message_is_done_and_that_message_goes_to_the_dead_letters(
    roomy: Deployed, queues: Queues
) -> None:
    """The first job is handed over to siblings; no time is left for the others, which get siblings of their own."""
    jobs = [Job(roomy) for _ in range(3)]
    first, *others = [json.dumps(job.event) for job in jobs]
    queues.send(first, POISON, *others)
    for job in jobs:
        job.wait_for_end("complete")
        job.prove(pdf_keys(roomy))
    eventually(lambda: queues.left() == 1)
    queues.give_up_after(1)
    assert eventually(lambda: queues.take(queues.stack.letters)) == [POISON]
    eventually(lambda: queues.left() == 0)
    assert queues.take(queues.stack.letters) == []
    for job in jobs:
        starts = [line for line in job.lines() if line["event"] == "start" and line["hop"] == 0]
        assert len(starts) == 1, "a job began twice"
    for job in jobs[1:]:
        assert "delegated" in [line["event"] for line in job.lines()]
    assert "message_id" in next(line for line in jobs[0].lines() if line["event"] == "start")


def test_one_job_in_two_messages_makes_one_manifest(roomy: Deployed, queues: Queues) -> None:
    """The second message waits in the queue until the manifest answers it."""
    job = Job(roomy)
    queues.send(json.dumps(job.event), json.dumps(job.event))
    job.wait_for_end("complete")
    eventually(lambda: queues.left() == 0)
    record = job.prove(pdf_keys(roomy))
    assert len(record["runs"]) == 1


@contextmanager
def rule(deployed: Deployed, target: dict[str, Any], pattern: dict[str, Any]) -> Iterator[str]:
    """Create a rule on the default bus, with one target."""
    events, name = boto3.client("events", **deployed.emulator.options), f"autotest-{uuid4().hex[:8]}"
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    targets: Any = [{"Id": "1", **target}]
    events.put_targets(Rule=name, Targets=targets)
    try:
        yield arn
    finally:
        events.remove_targets(Rule=name, Ids=["1"])
        events.delete_rule(Name=name)


def test_a_finished_manifest_is_announced_on_the_event_bus(deployed: Deployed, queues: Queues) -> None:
    """Once, by the last sibling, to each rule that matches; without any URL."""
    url = queues.sqs.create_queue(QueueName=f"autotest-{uuid4().hex[:8]}")["QueueUrl"]
    arn = queues.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["presign-siblings"], "detail-type": ["Manifest Complete"]}
    job = Job(deployed, task_id=None)
    with rule(deployed, {"Arn": arn}, pattern):
        job.start()
        record = job.wait_for_end("complete")
        announced = [json.loads(body) for body in eventually(lambda: queues.take(url))]
    (event,) = [each for each in announced if each["detail"]["job_id"] == record["job_id"]]
    result = json.loads(record["result"])
    assert event["detail"] | result == event["detail"] | {"status": "complete"}
    assert event["detail"]["job_key"] == record["job_key"]
    assert job.manifests() == [event["detail"]["manifest_key"]]
    assert "X-Amz" not in json.dumps(announced)


def test_several_rules_each_start_their_own_job_at_the_events_time(deployed: Deployed) -> None:
    """An input transformer passes on the event's time, which resolves the dates in the prefix."""
    jobs = [Job(deployed), Job(deployed)]
    prefixes = [f"{stack.PREFIX}{{yyyy}}/{{mm}}/", f"{stack.PREFIX}{{{{}}}}/"]
    functions = boto3.client("lambda", **deployed.emulator.options)
    events = boto3.client("events", **deployed.emulator.options)
    source = f"autotest.{uuid4().hex[:8]}"
    templates = [
        json.dumps({"prefix": prefix, "manifest_prefix": job.place, "time": "<time>"}).replace('"<time>"', "<time>")
        for prefix, job in zip(prefixes, jobs, strict=True)
    ]
    targets: list[dict[str, Any]] = [
        {
            "Arn": deployed.stack.live,
            "InputTransformer": {"InputPathsMap": {"time": "$.time"}, "InputTemplate": template},
        }
        for template in templates
    ]
    pattern = {"source": [source]}
    with rule(deployed, targets[0], pattern) as first, rule(deployed, targets[1], pattern) as second:
        for arn in (first, second):
            functions.add_permission(
                FunctionName=deployed.stack.live,
                StatementId=arn.rpartition("-")[2],
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=arn,
            )
        events.put_events(Entries=[{"Source": source, "DetailType": "Day", "Detail": "{}"}])
        places = [json.loads(job.wait_for_end("complete")["place"])["job"] for job in jobs]
    (at,) = {datetime.fromisoformat(place["time"]) for place in places}
    assert at.microsecond == 0, "the function's own time was used, not the event's whole seconds"
    assert [place["prefix"] for place in places] == [f"{stack.PREFIX}{at:%Y/%m}/", f"{stack.PREFIX}{{}}/"]


def test_a_cursor_or_a_key_range_given_by_hand_is_where_a_job_starts(deployed: Deployed) -> None:
    """Asynchronous invocations, as an operator makes them."""
    keys = sorted(pdf_keys(deployed), key=str.encode)
    s3 = boto3.client("s3", **deployed.emulator.options)
    page = s3.list_objects_v2(Bucket=stack.BUCKET, Prefix=stack.PREFIX, MaxKeys=50)
    last = page["Contents"][-1]["Key"]
    by_cursor = Job(deployed, cursor=page["NextContinuationToken"])
    by_range = Job(deployed, start_after=keys[10], end_at=keys[70])
    for job in (by_cursor, by_range):
        job.start()
        job.wait_for_end("complete")
    by_cursor.prove(key for key in keys if key.encode() > last.encode())
    by_range.prove(keys[11:71])


@pytest.mark.parametrize("source", ["the payload", "the log line", "the answer"])
def test_a_parked_job_continues_from_each_copy_of_its_resume_payload(deployed: Deployed, source: str) -> None:
    """Pasted unchanged into an asynchronous invocation."""
    job = Job(deployed)
    with job.held(1):
        job.change(stop=True)
    parked = job.wait_for_end("parked")
    line = eventually(lambda: [line for line in job.lines() if line["event"] == "parked"])[0]
    status, body = job.ask()
    assert (status, body["resume"]) == (409, line["resume"])
    found = {
        "the payload": line["resume"],
        "the log line": line,
        "the answer": {"statusCode": status, "body": json.dumps(body)},
    }
    job.start(found[source])
    job.wait_for_end("complete", after=parked)
    job.prove(pdf_keys(deployed))


def test_a_lost_sibling_continues_from_the_record_of_the_on_failure_queue(deployed: Deployed, queues: Queues) -> None:
    """Lambda gave its event up; the record is invoked as it was received."""
    functions = boto3.client("lambda", **deployed.emulator.options)
    job = Job(deployed)
    queues.take(queues.stack.failed)
    with job.held(1):
        functions.put_function_concurrency(FunctionName=deployed.stack.function, ReservedConcurrentExecutions=0)

    def mine() -> list[dict[str, Any]]:
        records = [json.loads(body) for body in queues.take(queues.stack.failed)]
        return [each for each in records if each["requestPayload"].get("job", {}).get("manifest_prefix") == job.place]

    (record,) = eventually(mine)
    functions.put_function_concurrency(FunctionName=deployed.stack.function, ReservedConcurrentExecutions=100)
    lost = job.record()
    assert lost is not None
    job.age(lost["holder"])
    job.start(record)
    job.wait_for_end("complete")
    job.prove(pdf_keys(deployed))
