"""A job on the deployed stack: its events, its record in the jobs table, its log lines, its manifest."""

from __future__ import annotations

import gzip
import json
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from boto3.dynamodb.types import TypeDeserializer

from dev import proof
from dev.aws import stack
from presign_siblings.remote.logs import Tail, structured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dev.aws.emulator import Emulator
    from presign_siblings.remote.logs import Line
    from tests.e2e.conftest import Deployed

LOOK_SECONDS = 0.05
SECONDS = 150.0  # the longest wait for anything, on a busy machine
OVER = frozenset({"complete", "parked", "failed"})

SHOWN = ("job_id", "hop", "event", "verdict", "state", "reason", "count")
QUIET = ("{", "START", "END", "REPORT")

Record = dict[str, Any]


class Job:
    """
    A job with a manifest prefix of its own, so that no other test has the same job or writes to the same place.

    :param event: The event's other fields.
    """

    def __init__(self, deployed: Deployed, **event: Any) -> None:
        self.deployed = deployed
        self.place = f"{stack.MANIFEST_PREFIX}{uuid4().hex[:12]}/"
        self.event: dict[str, Any] = {"manifest_prefix": self.place, **event}
        options = deployed.emulator.options
        self._functions, self._tables = boto3.client("lambda", **options), boto3.client("dynamodb", **options)
        self._s3, self._logs = boto3.client("s3", **options), boto3.client("logs", **options)
        self._began = datetime.now(UTC)
        self._job_key: str | None = None

    def start(self, event: dict[str, Any] | None = None) -> None:
        """Deliver an event asynchronously, as EventBridge or a sibling does."""
        self._functions.invoke(
            FunctionName=self.deployed.stack.function,
            InvocationType="Event",
            Payload=json.dumps(self.event if event is None else event),
        )

    @contextmanager
    def held(self, hop: int) -> Iterator[Record]:
        """Start the job; its chain waits before a hop, after the hand-over to that hop, until the block has ended."""
        with self.deployed.emulator.holding(f"hop-{hop}"):
            self.start()
            yield self.wait_for_hop(hop)

    def deliver(self, event: dict[str, Any]) -> None:
        """Deliver an event and wait until the function has answered or raised."""
        self._functions.invoke(FunctionName=self.deployed.stack.function, Payload=json.dumps(event))

    def ask(self, event: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Deliver an event and wait for its answer: status code and body."""
        answer = self._functions.invoke(
            FunctionName=self.deployed.stack.function, Payload=json.dumps(self.event if event is None else event)
        )
        payload = answer["Payload"].read().decode()
        assert "FunctionError" not in answer, payload
        parsed = json.loads(payload)
        return parsed["statusCode"], json.loads(parsed["body"])

    def record(self) -> Record | None:
        """Return the job's record in the jobs table."""
        table = self.deployed.stack.jobs
        if self._job_key is not None:
            key: Any = {"job_key": {"S": self._job_key}}
            found = [self._tables.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")]
        else:
            found = list(self._tables.scan(TableName=table, ConsistentRead=True)["Items"])
        for item in found:
            record: Record = {name: TypeDeserializer().deserialize(value) for name, value in (item or {}).items()}
            place = json.loads(record["place"]) if record else {}
            # The ranges of a job that several chains share have records of their own.
            if place and place["job"]["manifest_prefix"] == self.place and "share" not in place:
                self._job_key = record["job_key"]
                return record
        return None

    def wait(self, until: Callable[[Record], bool], seconds: float = SECONDS) -> Record:
        """Look at the record until a condition holds; return it."""
        deadline = time.monotonic() + seconds
        while (record := self.record()) is None or not until(record):
            assert time.monotonic() < deadline, f"no such record in time, but: {record}\n{self._summary()}"
            time.sleep(LOOK_SECONDS)
        return record

    def wait_for_hop(self, hop: int) -> Record:
        """Wait until the chain has come to a hop, or past it."""
        return self.wait(lambda record: record["hop"] >= hop or record["state"] in OVER)

    def wait_for_end(self, state: str, after: Record | None = None) -> Record:
        """
        Wait until the run has ended, and assert in which state.

        :param after: The record of an earlier end, which does not count.
        """
        revision = -1 if after is None else after["revision"]
        record = self.wait(lambda record: record["state"] in OVER and record["revision"] > revision)
        assert record["state"] == state, f"{record}\n{self._summary()}"
        return record

    def change(self, **values: bool | int) -> None:
        """Set attributes of the record, as an operator would in the console."""
        self._tables.update_item(
            TableName=self.deployed.stack.jobs,
            Key={"job_key": {"S": str(self._job_key)}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={
                f":{name}": {"BOOL": value} if isinstance(value, bool) else {"N": str(value)}
                for name, value in values.items()
            },
        )

    def age(self, holder: str) -> None:
        """Let the lease of a dead holder run out, without the wait of its 45 seconds."""
        # The condition may fail: another has taken the lease, or it has run out.
        with suppress(self._tables.exceptions.ConditionalCheckFailedException):
            self._tables.update_item(
                TableName=self.deployed.stack.jobs,
                Key={"job_key": {"S": str(self._job_key)}},
                UpdateExpression="SET lease_until = :past",
                ConditionExpression="holder = :holder AND lease_until > :past",
                ExpressionAttributeValues={":holder": {"S": holder}, ":past": {"N": "1"}},
            )

    def manifests(self) -> list[str]:
        """Return the keys of the manifests under the job's prefix."""
        beside = (f"{self.place}.checkpoints/", f"{self.place}.keymaps/")
        return [key for key in self.objects() if not key.startswith(beside)]

    def objects(self) -> dict[str, str]:
        """Return key and ETag of each object that the job has written."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=stack.BUCKET, Prefix=self.place)
        return {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", [])}

    def uploads(self) -> list[str]:
        """Return the ids of the unfinished uploads under the job's prefix."""
        found = self._s3.list_multipart_uploads(Bucket=stack.BUCKET, Prefix=self.place).get("Uploads", [])
        return [each["UploadId"] for each in found if each["Key"].startswith(self.place)]

    def body(self, key: str) -> bytes:
        """Return a manifest's lines."""
        body = self._s3.get_object(Bucket=stack.BUCKET, Key=key)["Body"].read()
        return gzip.decompress(body) if key.endswith(".gz") else body

    def prove(self, expected: Iterable[str]) -> Record:
        """Assert that there is one manifest, of these keys and no others, each once, and that the record agrees."""
        record = self.record()
        assert record is not None
        assert record["state"] == "complete", record
        keys, result = list(expected), json.loads(record["result"])
        assert self.manifests() == [result["manifest_key"]]
        _, checks = proof.manifest(self.body(result["manifest_key"]), keys)
        assert [check for check in checks if not check.passed] == []
        assert (result["count"], result["errors"]) == (len(keys), 0)
        return record

    def lines(self, job_id: str | None = None) -> list[dict[str, Any]]:
        """Return what the function logged about one of its runs, by default about the latest."""
        wanted = job_id or (self.record() or {})["job_id"]
        return [line for line in self._tail().new() if line.get("job_id") == wanted]

    def messages(self) -> list[str]:
        """Return all that the function has logged since the job began."""
        return self._tail().messages()

    def _tail(self) -> Tail:
        """Read from the job's beginning: the emulator returns the first 10,000 events and no more."""
        return Tail(self._logs, self.deployed.stack.logs, self._began)

    def _summary(self) -> str:
        """Return the end of the log in short: the function's events, and other lines such as a traceback."""
        messages = [message.strip() for message in self._tail().messages()]
        lines = [(message, structured(message)) for message in messages if message]
        summary = [
            " ".join(str(line.get(name)) for name in SHOWN if name in line) if line else message[:200]
            for message, line in lines
            if line or not message.startswith(QUIET)
        ]
        return "\n".join(summary[-60:])


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait until a condition returns something; return that."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "nothing came in time"
        time.sleep(0.1)
    return found


def logged(running: Emulator, group: str, event: str, **fields: Any) -> list[Line]:
    """Return all lines of an event with the given fields in the log group of a short test."""
    tail = Tail(boto3.client("logs", **running.options), group, datetime.fromtimestamp(0, UTC))
    return [line for line in tail.new() if line["event"] == event and fields.items() <= line.items()]


def given_up(deployed: Deployed) -> list[dict[str, Any]]:
    """Take from the queue of failed events those that Lambda has given up since the last call."""
    sqs = boto3.client("sqs", **deployed.emulator.options)
    queue = sqs.get_queue_url(QueueName=f"{deployed.stack.function}_failed")["QueueUrl"]
    events = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            events.append(json.loads(message["Body"])["requestPayload"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return events


def pdf_keys(deployed: Deployed) -> list[str]:
    """Return the keys that a job of the whole prefix must find."""
    return [item.key for item in deployed.items if item.is_pdf]
