"""SQS: one job a message; a failed one alone stays in the queue, one without time left gets its own sibling."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from processor import app
from processor.errors import InvalidEventError
from tests.conftest import NOW
from tests.fakes import LambdaContext, refuse
from tests.output import logged, metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes import FakeS3, Siblings
    from tests.output import Output
    from tests.simulation.dynamo import FakeDynamo

EVENT = json.loads((Path(__file__).parents[2] / "events" / "sqs.json").read_text())
JOB = {"bucket": "reports", "prefix": "2026/", "page_size": 10}
POISON = {"bucket": "reports", "expiry_seconds": 0}


def batch(*bodies: object, sent: int = 1775001599000) -> dict[str, Any]:
    """Return a batch as SQS delivers it; message ids count from 0."""
    records = []
    for number, body in enumerate(bodies):
        record = copy.deepcopy(EVENT["Records"][0])
        record |= {"messageId": f"m-{number}", "body": body if isinstance(body, str) else json.dumps(body)}
        record["attributes"]["SentTimestamp"] = str(sent)
        records.append(record)
    return {"Records": records}


def failures(answer: dict[str, Any]) -> list[str]:
    """Return the ids of the messages that stay in the queue."""
    assert set(answer) == {"batchItemFailures"}
    assert all(set(each) == {"itemIdentifier"} for each in answer["batchItemFailures"])
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


@pytest.fixture
def deliver(handler: Callable[..., Any]) -> Callable[..., dict[str, Any]]:  # noqa: ARG001 - a cold handler
    """Return the handler as the event source mapping calls it."""

    def call(event: dict[str, Any], context: LambdaContext | None = None) -> dict[str, Any]:
        return dict(app.lambda_handler(event, context or LambdaContext()))

    return call


def manifests(s3: FakeS3) -> list[str]:
    """Return the manifests, without the checkpoints."""
    return [key for key in s3.objects if "/." not in key]


def test_every_message_is_a_job_of_its_own(
    deliver: Callable[..., Any], s3: FakeS3, jobs_table: FakeDynamo, output: Output
) -> None:
    """Three jobs, three manifests, one EMF object; each log line names its job and its message."""
    jobs = [JOB, {**JOB, "prefix": "2026/0"}, {**JOB, "suffix": ""}]
    assert failures(deliver(batch(*jobs))) == []
    assert len(manifests(s3)) == len(jobs_table.items) == 3
    starts = logged(output, "start")
    assert [line["message_id"] for line in starts] == ["m-0", "m-1", "m-2"]
    assert len({line["job_id"] for line in starts}) == 3
    assert [line["job_id"] for line in logged(output, "complete")] == [line["job_id"] for line in starts]
    (metric,) = metrics(output)
    assert (metric["Completed"], metric["PresignCount"]) == (3, 35 + 10 + 35)


def test_the_event_is_accepted_as_aws_sends_it(deliver: Callable[..., Any], s3: FakeS3) -> None:
    """With every attribute that a record has; no URL is in the answer or in the log."""
    assert failures(deliver(EVENT)) == []
    assert len(manifests(s3)) == 1


def test_a_poison_message_fails_alone(
    deliver: Callable[..., Any], s3: FakeS3, jobs_table: FakeDynamo, output: Output
) -> None:
    """Whatever its fault; SQS counts its receives, and moves it to the dead-letter queue."""
    bodies = [POISON, "no json", [], {"Records": [{"eventSource": "aws:s3"}]}, JOB, {"hop": 1}]
    assert failures(deliver(batch(*bodies))) == ["m-0", "m-1", "m-2", "m-3", "m-5"]
    assert len(manifests(s3)) == len(jobs_table.items) == 1
    lines = logged(output, "invalid")
    assert [line["message_id"] for line in lines] == ["m-0", "m-1", "m-2", "m-3", "m-5"]
    assert "aws:s3" in lines[3]["reason"]
    assert metrics(output)[0]["Invalid"] == 5


def test_a_batch_of_poison_messages_is_answered_and_does_not_raise(deliver: Callable[..., Any], s3: FakeS3) -> None:
    """A function error would make the event source back off, and hold up the messages after them."""
    assert failures(deliver(batch(POISON, POISON))) == ["m-0", "m-1"]
    assert not s3.wire


def test_a_record_that_raises_fails_alone(deliver: Callable[..., Any], s3: FakeS3, output: Output) -> None:
    """Both a known and an unforeseen fault are in the log with the message's id."""
    seen: list[str] = []

    async def trouble(operation: str, detail: Any) -> None:
        if operation == "list":
            seen.append(detail["Prefix"])
            if detail["Prefix"] == "denied/":
                raise refuse("AccessDenied", status=403)
            if detail["Prefix"] == "strange/":
                raise ZeroDivisionError("strange")

    s3.before = trouble
    jobs = [{**JOB, "prefix": prefix, "concurrency": 1} for prefix in ("denied/", "strange/", "2026/")]
    assert failures(deliver(batch(*jobs))) == ["m-0", "m-1"]
    assert seen == ["denied/", "strange/", *["2026/"] * 4]
    lines = logged(output, "failed")
    assert [(line["message_id"], line["terminal"]) for line in lines] == [("m-0", True), ("m-1", False)]
    assert len(manifests(s3)) == 1


def test_the_message_of_a_parked_or_handed_over_job_is_done(
    deliver: Callable[..., Any],
    s3: FakeS3,
    siblings: Siblings,
    jobs_table: FakeDynamo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log has ``resume``; the sibling has the rest of the job."""
    assert failures(deliver(batch(JOB), LambdaContext(remaining_seconds=9))) == []
    assert siblings.payloads[0]["hop"] == 1
    monkeypatch.setenv("MAX_HOPS", "1")
    assert (
        failures(deliver(batch({**JOB, "prefix": "2026/0", "page_size": 5}), LambdaContext(remaining_seconds=9))) == []
    )
    assert len(siblings.requests) == 1
    assert {item["state"]["S"] for item in jobs_table.items.values()} == {"handed_over", "parked"}
    assert not manifests(s3)


def test_a_job_under_way_elsewhere_stays_in_the_queue(
    deliver: Callable[..., Any],
    handler: Callable[..., Any],
    s3: FakeS3,
    siblings: Siblings,
    jobs_table: FakeDynamo,
    output: Output,
) -> None:
    """It is delivered again, and done once the other manifest answers it: no run counts as skipped until then."""
    assert handler(JOB, LambdaContext(remaining_seconds=9))["statusCode"] == 202
    assert failures(deliver(batch(JOB))) == ["m-0"]
    assert failures(deliver(batch({**JOB, "time": "2026-04-02T00:00:00Z"}))) == ["m-0"]
    assert logged(output, "in_progress")
    assert not logged(output, "run_skipped")
    assert handler(siblings.payloads[0])["statusCode"] == 200
    before = copy.deepcopy(jobs_table.items)
    assert failures(deliver(batch(JOB))) == []
    assert jobs_table.items == before
    assert len(manifests(s3)) == 1


def test_a_message_delivered_twice_changes_nothing(
    deliver: Callable[..., Any], s3: FakeS3, siblings: Siblings, jobs_table: FakeDynamo
) -> None:
    """While its chain works, and after its end; ``fresh`` counts once for each message."""
    event = batch({**JOB, "fresh": True})
    assert failures(deliver(event, LambdaContext(remaining_seconds=9))) == []
    before, written = copy.deepcopy(jobs_table.items), dict(s3.objects)
    again = LambdaContext(aws_request_id="another")
    assert failures(deliver(event, again)) == []
    assert (jobs_table.items, s3.objects) == (before, written)
    assert len(siblings.requests) == 1

    assert app.lambda_handler(siblings.payloads[0], LambdaContext())["statusCode"] == 200
    before, written = copy.deepcopy(jobs_table.items), dict(s3.objects)
    assert failures(deliver(event, again)) == []
    assert (jobs_table.items, s3.objects) == (before, written)

    other = batch(POISON, {**JOB, "fresh": True})
    assert failures(deliver(other)) == ["m-0"]
    assert len(manifests(s3)) == 2


def test_a_batch_that_dies_is_delivered_whole_and_each_of_its_jobs_runs_once(
    deliver: Callable[..., Any], s3: FakeS3, jobs_table: FakeDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is answered, what died waits for the end of its lease, and what was not reached begins."""

    class Died(BaseException):
        pass

    async def die(operation: str, detail: Any) -> None:
        if operation == "list" and detail["Prefix"] == "2026/1":
            raise Died

    event, s3.before = batch(*({**JOB, "prefix": prefix} for prefix in ("2026/0", "2026/1", "2026/2"))), die
    with pytest.raises(Died):
        deliver(event)
    (first,) = manifests(s3)
    s3.before = None
    assert failures(deliver(event)) == ["m-1"]
    monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: NOW + timedelta(seconds=46)))
    for _ in range(2):
        assert failures(deliver(event)) == []
    assert len(manifests(s3)) == len(jobs_table.items) == 3
    assert first in manifests(s3)


def test_a_message_is_the_same_job_whenever_it_is_delivered(
    deliver: Callable[..., Any], s3: FakeS3, jobs_table: FakeDynamo
) -> None:
    """Its dates are those of its sending: otherwise it would be tomorrow's job when redelivered after midnight."""
    s3.keys += ["2025/12/a.pdf"]
    sent = batch({**JOB, "prefix": "{yyyy}/{mm}/"}, sent=1767225599999)  # 2025-12-31T23:59:59.999Z
    assert failures(deliver(sent)) == []
    (item,) = jobs_table.items.values()
    assert json.loads(item["place"]["S"])["job"]["prefix"] == "2025/12/"
    assert json.loads(item["place"]["S"])["started"].startswith("2026-04-01"), "the age of a job counts from its start"
    stated = batch({**JOB, "prefix": "{yyyy}/{mm}/", "time": "2025-11-30T00:00:00Z"})
    assert failures(deliver(stated)) == []
    assert len(jobs_table.items) == 2


def test_a_message_without_time_left_gets_a_sibling(
    deliver: Callable[..., Any], s3: FakeS3, siblings: Siblings, jobs_table: FakeDynamo, output: Output
) -> None:
    """Under the alias in use. Whichever begins first, the sibling or a redelivered message, the job runs once."""
    arn = f"{LambdaContext().invoked_function_arn}:live"
    event = batch({**JOB, "prefix": "none/"}, {**JOB, "fresh": True}, POISON, {**JOB, "prefix": "2026/0"})
    first = deliver(event, LambdaContext(remaining_seconds=9, invoked_function_arn=arn))
    assert failures(first) == ["m-2"], "a poison message is refused even without time left"
    assert [request["InvocationType"] for request in siblings.requests] == ["Event", "Event"]
    assert [request["Qualifier"] for request in siblings.requests] == ["live", "live"]
    assert [line["message_id"] for line in logged(output, "delegated")] == ["m-1", "m-3"]
    assert metrics(output)[0]["SiblingsSpawned"] == 2
    assert len(jobs_table.items) == 1

    begun = app.lambda_handler(siblings.payloads[0], LambdaContext(aws_request_id="sibling"))
    assert begun["statusCode"] == 200
    assert json.loads(begun["body"])["count"] == 35
    assert json.loads(begun["body"])["job_id"] == logged(output, "delegated")[0]["job_id"]
    written = dict(s3.objects)
    assert failures(deliver(event, LambdaContext(aws_request_id="again"))) == ["m-2"]
    again = app.lambda_handler(siblings.payloads[1], LambdaContext(aws_request_id="late sibling"))
    assert json.loads(again["body"])["count"] == 10
    assert len(manifests(s3)) == 3
    assert written.items() <= s3.objects.items()


@pytest.mark.parametrize(
    "error", [refuse("RecursiveInvocationException", "Invoke"), ReadTimeoutError(endpoint_url="https://lambda"), None]
)
def test_a_message_whose_sibling_is_not_accepted_stays_in_the_queue(
    deliver: Callable[..., Any], s3: FakeS3, siblings: Siblings, output: Output, error: Exception | None
) -> None:
    """Refused, lost, or not even tried for lack of time."""
    siblings.error = error
    left = 9.0 if error else 1.0
    event = batch({**JOB, "prefix": "none/"}, JOB)
    assert failures(deliver(event, LambdaContext(remaining_seconds=left))) == ["m-1"]
    (line,) = logged(output, "not_delegated")
    assert line["message_id"] == "m-1"
    assert len(siblings.requests) == (1 if error else 0)
    assert len(manifests(s3)) == 1


def test_a_sibling_or_resume_payload_may_come_through_the_queue(
    deliver: Callable[..., Any],
    handler: Callable[..., Any],
    s3: FakeS3,
    siblings: Siblings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So may a record of the on-failure queue: an operator revives a dead chain by moving its message."""
    monkeypatch.setenv("MAX_HOPS", "1")
    resume = handler(JOB, LambdaContext(remaining_seconds=9))["body"]["resume"]
    assert failures(deliver(batch(resume))) == []
    assert len(manifests(s3)) == 1
    assert failures(deliver(batch({"version": "1.0", "requestPayload": {**JOB, "prefix": "2026/0"}}))) == []
    assert len(manifests(s3)) == 2
    assert not siblings.requests


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"Records": [{"eventSource": "aws:kinesis", "kinesis": {}}]}, "aws:kinesis"),
        ({"Records": [{"eventSource": "aws:s3"}]}, "aws:s3"),
        ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, "aws:sns"),
        ({"Records": [*EVENT["Records"], {"eventSource": "aws:s3"}]}, "aws:s3, aws:sqs"),
        ({"Records": []}, "no records"),
        ({"Records": {}}, "dict"),
        ({"Records": ["x"]}, "str"),
        ({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}, "messageId"),
        ({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": {}}]}, "body"),
        ({"Records": EVENT["Records"] * 2, "sibling": True}, "Records"),
        ({"Records": EVENT["Records"], "sibling": False}, "Records"),
        ({"Records": EVENT["Records"], "sibling": True, "bucket": "reports"}, "Records"),
    ],
)
def test_other_records_are_refused_by_name(handler: Callable[..., Any], s3: FakeS3, event: Any, named: str) -> None:
    """Each is a subscription made by mistake."""
    answer = handler(event)
    assert answer["statusCode"] == 400
    assert named in answer["body"]["message"]
    assert not s3.wire


def test_a_deployment_with_an_invalid_setting_takes_no_message_out_of_the_queue(
    deliver: Callable[..., Any], s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without failures would delete them all."""
    monkeypatch.setenv("MAX_HOPS", "many")
    with pytest.raises(InvalidEventError, match="MAX_HOPS"):
        deliver(batch(JOB))
    assert not s3.wire


@pytest.mark.parametrize("sent", ["soon", "9" * 30, ["1767225599999"]])
def test_an_invalid_sent_time_is_refused(deliver: Callable[..., Any], s3: FakeS3, sent: object) -> None:
    """Only a forged record has one."""
    event = batch(JOB)
    event["Records"][0]["attributes"]["SentTimestamp"] = sent
    answer = deliver(event)
    assert answer["statusCode"] == 400
    assert not s3.wire


def test_a_batch_reveals_no_url(deliver: Callable[..., Any], s3: FakeS3, output: Output) -> None:
    """Neither in its answer nor in its log."""
    answer = deliver(batch(JOB))
    assert s3.objects
    assert "X-Amz" not in json.dumps(answer) + output.getvalue() + output.errors


def test_each_messages_task_is_closed_with_its_own_numbers(
    deliver: Callable[..., Any], s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task of sosw may come through the queue too."""
    closed: list[tuple[str, int, int]] = []

    def close(self: app.Processor, task_id: str) -> None:
        closed.append((task_id, self.result["count"], self.stats["count"]))

    monkeypatch.setattr(app.Processor, "mark_task_as_completed", close)
    assert failures(deliver(batch({**JOB, "task_id": "a"}, {**JOB, "prefix": "2026/0", "task_id": "b"}))) == []
    assert closed == [("a", 35, 35), ("b", 10, 10)]
    assert len(manifests(s3)) == 2
