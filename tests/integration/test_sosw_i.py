"""A Labourer of sosw: its own Scheduler, Orchestrator, Scavenger and WorkerAssistant, on tables of a moto server."""

from __future__ import annotations

import json
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import sosw.app
from sosw.orchestrator import Orchestrator
from sosw.scavenger import Scavenger
from sosw.scheduler import Scheduler
from sosw.worker_assistant import WorkerAssistant

from processor import app
from processor.errors import PresignSiblingsError
from processor.job import DeploymentSettings
from tests.buckets import fill, manifest_of
from tests.fakes import LambdaContext, Meta

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3 import S3Client

CONFIG = Path(__file__).parents[2] / "config"
LABOURER, ASSISTANT = "presign_siblings", "sosw_worker_assistant"
EXPIRED_SECONDS = 1200  # sosw/labourer.py: duration and cooldown
Keys = tuple[str, ...]
# Each with its own keys, then its index: name and keys.
TABLES: dict[str, tuple[Keys, tuple[str, Keys] | None]] = {
    "sosw_tasks": (("task_id",), ("sosw_tasks_greenfield", ("labourer_id", "greenfield"))),
    "sosw_closed_tasks": (
        ("task_id",),
        ("labourer_task_status_with_time", ("labourer_id_task_status", "closed_at")),
    ),
    "sosw_retry_tasks": (
        ("labourer_id", "task_id"),
        ("labourer_id_greenfield", ("labourer_id", "desired_launch_time")),
    ),
    "sosw_tasks_meta": (("task_id", "created_at"), None),
    "jobs": (("job_key",), None),
}
NUMBERS = frozenset({"greenfield", "closed_at", "desired_launch_time", "created_at"})


def config(name: str) -> dict[str, Any]:
    """Return one of the files that register the function with sosw."""
    read: dict[str, Any] = json.loads((CONFIG / f"{name}.json").read_text())
    return read


@dataclass
class Lambda:
    """
    Lambda with two functions in this process: the Processor's handler, and sosw's worker assistant.

    :param queue: Events that were accepted and not yet delivered.
    :param seconds: Remaining time of each invocation of the Processor.
    """

    queue: deque[tuple[str, dict[str, Any]]] = field(default_factory=deque)
    answers: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    assisted: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 900.0
    meta: Meta = field(default_factory=Meta)
    requests: int = 0

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Timeout": 900}

    def get_function_recursion_config(self, **_: Any) -> dict[str, Any]:
        return {"RecursiveLoop": "Allow"}

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        assert InvocationType == "Event"
        self.queue.append((FunctionName.rsplit(":", maxsplit=1)[-1], json.loads(Payload)))
        return {"StatusCode": 202}

    def deliver(self, most: int = 100) -> None:
        """Deliver the events of the queue, and those that follow from them."""
        while self.queue and most:
            most -= 1
            function, event = self.queue.popleft()
            self.requests += 1
            context = LambdaContext(aws_request_id=f"r-{self.requests}", remaining_seconds=self.seconds)
            if function == ASSISTANT:
                self.assisted.append((event["action"], event["task_id"]))
                essential(WorkerAssistant)(event)
                continue
            app.global_vars.processor = None  # each in a new environment
            try:
                self.answers.append(app.lambda_handler(event, context))
            except PresignSiblingsError as error:
                self.failures.append(str(error))

    def statuses(self) -> list[str]:
        """Return the statuses of the Processor's answers."""
        return [json.loads(answer["body"])["status"] for answer in self.answers]


def essential(kind: type, **own: Any) -> Any:
    """Return one of sosw's own functions, configured by ``config/labourer.json`` as its documentation says."""
    # The Scheduler names a file in /tmp after the request.
    sosw.app.global_vars.lambda_context = LambdaContext(function_name=kind.__name__, aws_request_id=uuid.uuid4().hex)
    return kind(custom_config={**config("labourer"), **own})


def orchestrate() -> None:
    """Run the Orchestrator, which starts queued tasks."""
    essential(Orchestrator)({})


def scavenge() -> None:
    """Run the Scavenger, which closes or retries tasks."""
    essential(Scavenger)({})


@pytest.fixture
def functions(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    """Create sosw's tables, for this test alone, and let each Lambda client call in this process."""
    tables = boto3.resource("dynamodb", endpoint_url=aws)
    for name, (own, index) in TABLES.items():
        keys = dict.fromkeys(own + (index[1] if index else ()))
        more: Any = {"GlobalSecondaryIndexes": [_index(*index)]} if index else {}
        tables.create_table(
            TableName=name,
            KeySchema=_schema(own),
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "N" if key in NUMBERS else "S"} for key in keys
            ],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )
    fake, real = Lambda(), boto3.client
    monkeypatch.setattr(boto3, "client", lambda name, **options: fake if name == "lambda" else real(name, **options))
    monkeypatch.setattr("sosw.app.get_config", lambda _: {})
    monkeypatch.setenv("JOBS_TABLE", "jobs")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", LABOURER)
    yield fake
    for name in TABLES:
        tables.Table(name).delete()


def _schema(keys: Keys) -> Any:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]


def _index(name: str, keys: Keys) -> Any:
    return {"IndexName": name, "KeySchema": _schema(keys), "Projection": {"ProjectionType": "ALL"}}


@dataclass
class Tasks:
    """The rows of sosw's tables."""

    endpoint: str

    def rows(self, table: str = "sosw_tasks") -> list[dict[str, Any]]:
        """Return the rows of a table."""
        resource = boto3.resource("dynamodb", endpoint_url=self.endpoint)
        return list(resource.Table(table).scan()["Items"])

    def set(self, table: str, row: dict[str, Any], **values: int) -> None:
        """Change values of a row, as time would."""
        resource = boto3.resource("dynamodb", endpoint_url=self.endpoint)
        resource.Table(table).put_item(Item={**row, **values})

    def expire(self) -> None:
        """Let the task's time run out: sosw then takes it for lost."""
        (row,) = self.rows()
        self.set("sosw_tasks", row, greenfield=int(row["greenfield"]) - EXPIRED_SECONDS - 1)

    def start_again(self) -> None:
        """Let the Scavenger move the expired task to the retry table and back, and the Orchestrator start it."""
        self.expire()
        scavenge()
        (row,) = self.rows("sosw_retry_tasks")
        self.set("sosw_retry_tasks", row, desired_launch_time=int(time.time()) - 1)
        scavenge()
        assert not self.rows("sosw_retry_tasks")
        orchestrate()


@pytest.fixture
def tasks(aws: str, functions: Lambda) -> Tasks:  # noqa: ARG001 - creates the tables
    """Return sosw's tables."""
    return Tasks(aws)


@pytest.fixture
def place(s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put PDFs of today and of another day into the deployment's bucket; return today's prefix."""
    today = f"reports/{datetime.now(UTC):%Y/%m/%d}/"
    fill(s3, bucket, [f"{today}{number}.pdf" for number in range(35)] + ["reports/2020/01/01/x.pdf"])
    monkeypatch.setenv("BUCKET_NAME", bucket)
    monkeypatch.setenv("PAGE_SIZE", "10")
    monkeypatch.setenv("URL_EXPIRY_SECONDS", "43200")
    return today


@pytest.fixture
def scheduled(s3: S3Client, functions: Lambda, place: str, tasks: Tasks) -> dict[str, Any]:  # noqa: ARG001
    """Queue the task of ``config/task.json`` through sosw's Scheduler; return its row."""
    queue = f"autotest-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=queue, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    schema = {"chunkable_attrs": [["bucket", {}]]}
    essential(Scheduler, queue_bucket=queue, job_schema=schema, job_schema_variants={"default": schema})(config("task"))
    (row,) = tasks.rows()
    assert row["labourer_id"] == LABOURER
    return row


def test_a_task_is_scheduled_run_by_siblings_closed_and_archived(
    s3: S3Client, bucket: str, functions: Lambda, place: str, tasks: Tasks, scheduled: dict[str, Any]
) -> None:
    """The last sibling closes it."""
    functions.seconds = 9
    orchestrate()
    assert [name for name, _ in functions.queue] == [LABOURER]
    functions.deliver(most=3)
    assert functions.statuses() == ["continued"] * 3
    (row,) = tasks.rows()
    assert "completed_at" not in row, "a sibling before the last closed the task"
    assert not functions.assisted

    functions.deliver()
    # Ranges are divided as timing has it, so the number of hops varies.
    *before, last = functions.statuses()
    assert (set(before), last) == ({"continued"}, "complete")
    assert functions.assisted == [("mark_task_as_completed", scheduled["task_id"])]
    (row,) = tasks.rows()
    assert row["completed_at"]
    assert (row["result_count"], row["result_errors"]) == (35, 0)
    body = json.loads(functions.answers[-1]["body"])
    assert len(manifest_of(s3, bucket, body)) == 35
    assert all(line["key"].startswith(place) for line in manifest_of(s3, bucket, body))

    scavenge()
    assert not tasks.rows()
    (closed,) = tasks.rows("sosw_closed_tasks")
    assert (closed["task_id"], closed["labourer_id_task_status"]) == (scheduled["task_id"], f"{LABOURER}_1")
    assert not functions.failures


@pytest.mark.usefixtures("place", "scheduled")
def test_a_task_started_again_during_its_chain_starts_no_second_one(functions: Lambda, tasks: Tasks) -> None:
    """After 20 minutes sosw takes a task for lost; the ledger still has its holder, and the chain closes the task."""
    functions.seconds = 9
    orchestrate()
    functions.deliver(most=1)
    sibling = functions.queue.popleft()
    tasks.start_again()
    functions.deliver()
    assert functions.statuses() == ["continued", "in_progress"]
    assert not functions.assisted

    functions.queue.append(sibling)
    functions.deliver()
    *before, last = functions.statuses()[2:]
    assert (set(before), last) == ({"continued"}, "complete")
    assert len(functions.assisted) == 1
    (row,) = tasks.rows()
    assert row["completed_at"]


@pytest.mark.usefixtures("place")
def test_a_task_with_a_finished_manifest_is_closed_at_once(
    s3: S3Client, bucket: str, functions: Lambda, tasks: Tasks, scheduled: dict[str, Any]
) -> None:
    """The closing was lost, or another task asked for the same job: no second manifest is made."""
    orchestrate()
    functions.deliver(most=1)
    assert functions.queue.pop()[1]["action"] == "mark_task_as_completed"
    written = s3.list_objects_v2(Bucket=bucket, Prefix="manifests/")["Contents"]
    tasks.start_again()
    functions.deliver()
    assert functions.statuses() == ["complete", "complete"]
    assert functions.assisted == [("mark_task_as_completed", scheduled["task_id"])]
    assert s3.list_objects_v2(Bucket=bucket, Prefix="manifests/")["Contents"] == written
    (row,) = tasks.rows()
    assert row["completed_at"]


@pytest.mark.usefixtures("place")
def test_a_task_closed_while_it_waited_for_a_retry_ends_all_the_same(
    functions: Lambda, tasks: Tasks, scheduled: dict[str, Any]
) -> None:
    """The worker assistant then writes a new row; the retried task replaces it, and is closed at once."""
    functions.seconds = 9
    orchestrate()
    functions.deliver(most=1)
    tasks.expire()
    scavenge()
    (waiting,) = tasks.rows("sosw_retry_tasks")
    delay = int(waiting["desired_launch_time"]) - time.time()
    assert 0 < delay <= 900, "the first retry does not come after max_duration"
    functions.deliver()
    assert functions.statuses()[-1] == "complete"
    tasks.set("sosw_retry_tasks", waiting, desired_launch_time=int(time.time()) - 1)
    scavenge()
    orchestrate()
    functions.deliver()
    assert functions.statuses()[-1] == "complete"
    scavenge()
    assert not tasks.rows()
    (closed,) = tasks.rows("sosw_closed_tasks")
    assert (closed["task_id"], closed["labourer_id_task_status"]) == (scheduled["task_id"], f"{LABOURER}_1")


@pytest.mark.usefixtures("place")
def test_a_terminal_failure_in_a_sibling_marks_the_task_as_failed(
    s3: S3Client, bucket: str, functions: Lambda, tasks: Tasks, scheduled: dict[str, Any]
) -> None:
    """Not as completed, so that sosw may retry it; the on-failure queue gets the error."""
    functions.seconds = 9
    orchestrate()
    functions.deliver(most=1)
    kept = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    for key in kept:
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)
    functions.deliver()
    assert functions.failures
    assert functions.assisted == [("mark_task_as_failed", scheduled["task_id"])]
    (row,) = tasks.rows()
    assert (row["failed_attempts"], "completed_at" in row) == (1, False)


def test_a_task_keeps_the_date_of_its_creation_and_is_fresh_only_once(
    s3: S3Client, bucket: str, functions: Lambda, place: str, tasks: Tasks, scheduled: dict[str, Any]
) -> None:
    """A retry after midnight would be another day's job; one that is fresh each time would never end."""
    created = int(datetime(2020, 1, 1, 23, 59, tzinfo=UTC).timestamp())
    payload = {**json.loads(scheduled["payload"]), "fresh": True}
    tasks.set("sosw_tasks", scheduled | {"payload": json.dumps(payload)}, created_at=created)
    orchestrate()
    functions.deliver(most=1)
    functions.queue.clear()
    (line,) = manifest_of(s3, bucket, json.loads(functions.answers[0]["body"]))
    assert line["key"] == "reports/2020/01/01/x.pdf"
    assert place not in line["key"]
    tasks.start_again()
    functions.deliver()
    first, second = (json.loads(answer["body"])["job_id"] for answer in functions.answers)
    assert first == second, "fresh counted at a second start"


@pytest.mark.usefixtures("place", "scheduled")
def test_one_task_of_the_labourer_runs_at_a_time(functions: Lambda, tasks: Tasks) -> None:
    """By ``max_simultaneous_invocations``; a second run of the Orchestrator starts nothing."""
    orchestrate()
    orchestrate()
    assert len(functions.queue) == 1
    assert len(tasks.rows()) == 1


def test_sosw_gives_a_task_up_later_than_the_longest_job_ends() -> None:
    """``max_attempts`` outlasts the chain's own age budget."""
    labourer = config("labourer")["task_config"]["labourers"][LABOURER]
    starts = range(1, labourer["max_attempts"] + 1)
    given_up = sum(EXPIRED_SECONDS + labourer["max_duration"] * attempts for attempts in starts)
    assert given_up >= DeploymentSettings.from_environment({}, {}).max_job_seconds


def test_sosw_allows_no_other_duration_of_a_task() -> None:
    """Its config cannot set this attribute."""
    from sosw.labourer import Labourer  # noqa: PLC0415 - the only test that needs it

    assert Labourer.DEFAULTS["duration"] + Labourer.DEFAULTS["cooldown"] == EXPIRED_SECONDS
    with pytest.raises(ValueError, match="duration"):
        Labourer(id="x").set_custom_attribute("duration", 86400)
