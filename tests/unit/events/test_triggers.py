"""Each way to start a job becomes the same run, and any other event is refused by name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from processor.events import Batch, Invalid, One, Surroundings, read, sqs, unfit
from processor.job import DeploymentSettings
from tests.conftest import NOW

EVENTS = Path(__file__).parents[2] / "events"


def around(**environment: str) -> Surroundings:
    """Return a deployment with a bucket of its own."""
    settings = {"BUCKET_NAME": "reports", **environment}
    return Surroundings(settings, {}, DeploymentSettings.from_environment(settings, {}), "request-1", lambda: NOW)


def load_event(name: str) -> Any:
    """Return an event as AWS delivers it."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def asked_by(event: object, surroundings: Surroundings) -> One:
    """Return the one job of an event."""
    asked = read(event, surroundings)
    assert isinstance(asked, One), asked
    return asked


def test_direct__an_empty_event_is_the_deployments_own_job() -> None:
    """Only the bucket has no default."""
    run = asked_by({}, around()).run
    assert (run.job.bucket, run.hop, run.job.time) == ("reports", 0, NOW)
    assert asked_by({}, around()).time is None, "the present is no time from the event"


def test_direct__a_task_is_refused_where_sosw_has_no_tasks() -> None:
    """Nothing would close it, and an Orchestrator would start it again and again."""
    refused = read({"task_id": "t"}, replace(around(), tasks=False))
    assert isinstance(refused, Invalid)
    assert (refused.field, "sosw 3 has no tasks" in refused.message) == ("task_id", True)
    assert asked_by({"task_id": "t"}, around()).run.job.task_id == "t"


def test_direct__a_cursor_is_where_the_listing_starts() -> None:
    """From an operator's asynchronous invoke with a cursor in its payload."""
    run = asked_by({"cursor": "token", "start_after": "k"}, around()).run
    assert (run.cursor, run.start_after, run.checkpoint_key) == ("token", "k", None)


def test_schedule__is_the_deployments_job_at_the_events_time() -> None:
    """Config and environment give the fields; the envelope gives the time."""
    asked = asked_by(load_event("scheduled"), around(PREFIX="{yyyy}/{mm}/"))
    run = asked.run
    assert asked.time == run.job.time
    assert run.job.prefix == "2026/03/"
    assert run.job.time.isoformat() == "2026-03-31T23:59:00+00:00"


def test_schedule__delivered_twice_is_one_run() -> None:
    """EventBridge delivers at least once, each time with another request id."""
    event = load_event("scheduled")
    settings = {"BUCKET_NAME": "reports"}
    deployment = DeploymentSettings.from_environment(settings, {})
    runs = [
        asked_by(event, Surroundings(settings, {}, deployment, request, lambda: NOW)).run.job_id
        for request in ("r1", "r2")
    ]
    assert runs[0] == runs[1]
    assert asked_by({}, around()).run.job_id not in runs


def test_schedule__without_an_id_is_a_run_of_its_delivery() -> None:
    """As an operator writes one by hand, or a scheduler with an input of its own: each is another run."""
    event = {name: value for name, value in load_event("scheduled").items() if name != "id"}
    first, again, second = (asked_by(event, replace(around(), delivery=each)).run for each in ("r1", "r1", "r2"))
    assert first.job_id == again.job_id != second.job_id


def test_sibling_and_resume_payloads_are_recognised() -> None:
    """The next hop reads what a hop wrote."""
    first = asked_by({}, around()).run
    checkpoint = first.begin()
    object.__setattr__(checkpoint, "hop", 1)
    place = first.after(checkpoint, f"{first.job.checkpoint_prefix(first.job_id)}1")
    assert asked_by(place.to_payload(), around()) == One(place)
    resumed = asked_by(place.to_resume(), around())
    assert (resumed.run.hop, resumed.resume) == (1, True)
    failed = {**load_event("on_failure"), "requestPayload": place.to_payload()}
    assert asked_by(failed, around()) == One(place)


@pytest.mark.parametrize("created", [1767225599, 1767225599.5, "1767225599.25"])
def test_task__is_the_same_job_whenever_sosw_starts_it(created: object) -> None:
    """Its dates are from its creation; a time of its own precedes them; ``fresh`` counts at its first start."""
    row = {"task_id": "t", "labourer_id": "presign", "created_at": created, "greenfield": 1.5e9, "attempts": 0}
    asked = asked_by({**row, "prefix": "{yyyy}/{mm}/", "fresh": True}, around())
    assert (asked.run.job.prefix, asked.run.job.fresh, asked.time) == ("2025/12/", True, None)
    assert asked.run.started == NOW
    again = asked_by(
        {**row, "attempts": 1, "prefix": "{yyyy}/", "fresh": True, "time": "2024-06-01T00:00:00Z"}, around()
    )
    assert (again.run.job.prefix, again.run.job.fresh) == ("2024/", False)


def test_resume__is_found_wherever_an_operator_copies_it_from() -> None:
    """The payload itself, the log line around it, an answer or its body, the on-failure queue's record."""
    first = asked_by({}, around()).run
    checkpoint = first.begin()
    object.__setattr__(checkpoint, "hop", 1)
    place = first.after(checkpoint, f"{first.job.checkpoint_prefix(first.job_id)}1")
    resume = place.to_resume()
    line = {"level": "WARNING", "event": "parked", "job_id": place.job_id, "hop": 0, "count": 7, "resume": resume}
    body = {"status": "parked", "job_id": place.job_id, "reason": "max_hops", "resume": resume}
    answer = {"statusCode": 409, "body": json.dumps(body)}
    failed = [{**load_event("on_failure"), "requestPayload": payload} for payload in (resume, line, answer)]
    for copied in (resume, line, body, answer, *failed):
        asked = asked_by(copied, around())
        assert (asked.run.job_id, asked.run.hop, asked.resume) == (place.job_id, 1, True)


@pytest.mark.parametrize(
    "rule", ["transformed", "transformed_other", "scheduler"], ids=["a rule", "another rule", "EventBridge Scheduler"]
)
def test_schedule__each_of_several_rules_has_a_job_of_its_own(rule: str) -> None:
    """Their input transformer keeps the event's ``time``: dates, and what counts as a later run, depend on it."""
    asked = asked_by(load_event(rule), around(PREFIX="unused/"))
    expected = {
        "transformed": ("reports/2026/03/", "gzip", "2026-03-31T23:59:00+00:00"),
        "transformed_other": ("invoices/{archive}/31/", "none", "2026-03-31T23:59:00+00:00"),
        "scheduler": ("reports/2026/04/01/", "none", "2026-04-01T03:00:00+00:00"),
    }[rule]
    job = asked.run.job
    assert (job.prefix, job.compression, job.time.isoformat()) == expected
    assert asked.time == job.time, "so the next day's event is a new run, and a second delivery of this one is not"


def test_on_failure_record__is_unwrapped() -> None:
    """The record's ``requestPayload`` is the failed event; a replay that fails too is wrapped once more."""
    record = load_event("on_failure")
    for failed in (record, {**record, "requestPayload": record}):
        assert asked_by(failed, around()).run.job.prefix == "2026/04/"


def test_on_failure_record__a_replay_has_the_date_of_the_failed_event() -> None:
    """Days later the same event would be another job; a time in the event precedes that."""
    event = {"bucket": "reports", "prefix": "{yyyy}/{mm}/{dd}/"}
    record = load_event("on_failure") | {"timestamp": "2026-03-07T23:59:00.000Z", "requestPayload": event}
    replayed = {**record, "timestamp": "2026-03-09T08:00:00.000Z", "requestPayload": record}
    for failed in (record, replayed, {"Records": [message_of(record)], "sibling": True}):
        asked = asked_by(failed, around())
        assert (asked.run.job.prefix, asked.time) == ("2026/03/07/", None)
    event["time"] = "2026-03-06T00:00:00Z"
    assert asked_by(record, around()).run.job.prefix == "2026/03/06/"
    invalid = read(record | {"timestamp": "yesterday"}, around())
    assert isinstance(invalid, Invalid)
    assert invalid.field == "timestamp"


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ([], "event"),
        ("text", "event"),
        (None, "event"),
        (7, "event"),
        ({"Records": [{"eventSource": "aws:s3"}]}, "Records.*aws:s3"),
        ({"Records": "x"}, "Records"),
        ({"Records": 5}, "Records.*int"),
        ({"Records": 5, "sibling": True}, "Records.*int"),
        ({"Records": [{"eventSource": "aws:s3", "messageId": "m", "body": "{}"}], "sibling": True}, "Records.*aws:s3"),
        (
            {
                "Records": [
                    {"eventSource": "aws:sqs", "messageId": "m", "body": '{"Records": [{"eventSource": "aws:s3"}]}'}
                ],
                "sibling": True,
            },
            "body.*aws:s3",
        ),
        ({"detail-type": "Object Created", "source": "aws.s3"}, "detail-type.*Object Created"),
        ({"detail-type": "Scheduled Event", "time": "never"}, "time"),
        ({"requestPayload": {"resume": {"requestPayload": {}}}}, "resume"),
        ({"resume": {"resume": {}}}, "resume"),
        ({"task_id": "t", "created_at": "yesterday"}, "created_at"),
        ({"statusCode": 200, "body": '{"status": "complete"}'}, "body.*resume"),
        ({"statusCode": 200, "body": "no json"}, "body.*resume"),
        ({"statusCode": 200, "body": "[]"}, "body.*resume"),
        ({"statusCode": 200, "body": '["resume"]'}, "body.*resume"),
        ({"statusCode": 200, "body": "5"}, "body.*resume"),
        ({"statusCode": 200}, "statusCode"),
        ({"body": "{}"}, "^'body'"),
        ({"requestPayload": "x"}, "requestPayload"),
        ({"hop": 1}, "job"),
        ({"bucket": "reports", "resume": True}, "^'bucket': .* is not a field of this version; if a newer version"),
    ],
)
def test_an_event_that_is_no_job_is_refused_by_name(event: object, named: str) -> None:
    """Before any call to AWS."""
    invalid = read(event, around())
    assert isinstance(invalid, Invalid)
    assert re.search(named, invalid.message)


def test_a_payload_of_a_newer_version_is_refused_by_an_error() -> None:
    """Lambda would drop the event after an answer that nobody reads: a rollback would lose each chain."""
    first = asked_by({}, around()).run
    place = replace(first, hop=1, checkpoint_key=f"{first.job.checkpoint_prefix(first.job_id)}1").to_payload()
    newer = place | {"version": 99}
    newer_field = place | {"job": place["job"] | {"of_tomorrow": 1}}
    ended = {"detail-type": "Step Functions Execution Status Change", "detail": {"input": json.dumps({"job": newer})}}
    kept = [newer, newer_field, place | {"of_tomorrow": 1}, {"requestPayload": newer}, {"chain": newer_field}, ended]
    for event in kept:
        refused = read(event, around())
        assert isinstance(refused, Invalid)
        assert "a newer version of the function wrote this" in refused.message
        assert refused.needs_error
    for event in (newer | {"resume": True}, place | {"job_id": "another"}, {"bucket": "N O"}):
        answered = read(event, around())
        assert isinstance(answered, Invalid)
        assert not answered.needs_error, "an answer is enough: its sender reads it, or has forged it"


def message_of(body: object) -> dict[str, Any]:
    """Return the fields of an SQS record that are read."""
    return {"messageId": "m", "eventSource": "aws:sqs", "body": json.dumps(body), "attributes": {"SentTimestamp": "0"}}


def test_batch__is_recognised_before_its_messages_are_read() -> None:
    """Each message is read when its turn comes."""
    records = [message_of({}), message_of("poison")]
    assert read({"Records": records}, around()) == Batch(tuple(records))


def test_message__given_to_a_sibling_is_one_job() -> None:
    """Also when the sibling's event comes back from the on-failure queue, even through the jobs queue."""
    alone = {"Records": [message_of({"prefix": "{yyyy}/"})], "sibling": True}
    failed = {"requestPayload": alone}
    again = {"Records": [message_of(failed)], "sibling": True}
    runs = [asked_by(event, around()).run for event in (alone, failed, again)]
    assert {(run.job_id, run.job.prefix) for run in runs} == {(runs[0].job_id, "1970/")}


@pytest.mark.parametrize("attributes", [{"SentTimestamp": "1767225599999"}, {}, None])
def test_message__a_sibling_reads_what_it_was_given(attributes: object) -> None:
    """The time of the sending too, to the millisecond; a batch written by hand may state none."""
    record = message_of({}) | {"attributes": attributes}
    message = sqs.Message.from_record(record)
    assert sqs.the_one(message.alone()) == message
    assert (message.sent is None) == (not attributes)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "event",
    [
        {"statusCode": 409, "body": DEEP},
        {"requestPayload": {"statusCode": 409, "body": DEEP}},
        {"Records": [message_of({}) | {"body": DEEP}], "sibling": True},
    ],
)
def test_json_that_is_too_deep_to_read_is_refused_by_name(event: object) -> None:
    """Python raises ``RecursionError`` for it, which is not a ``ValueError``."""
    invalid = read(event, around())
    assert isinstance(invalid, Invalid)
    assert invalid.field == "body"


@pytest.mark.parametrize("depth", [100, 400])
def test_json_that_is_too_deep_to_log_is_refused_by_name(depth: int) -> None:
    """Sosw logs each event, and a message shows the refused value: both fail near Python's recursion limit."""
    deep: Any = "innermost"
    for _ in range(depth):
        deep = [deep]
    refused = unfit({"prefix": deep})
    assert refused is not None
    assert (refused.field, "at most 100" in refused.message) == ("event", True)
    for body in ({"prefix": deep}, {"surprise": deep}):
        invalid = read({"Records": [message_of(body)], "sibling": True}, around())
        assert isinstance(invalid, Invalid)
        assert invalid.field == "body"


@pytest.mark.parametrize("level", ["LOUD", "debug", "", 15, 0, True, ["DEBUG"], {}])
def test_an_invalid_log_level_is_refused_by_name(level: object) -> None:
    """Also in a message, which sosw does not check."""
    for event in (
        {"logging_level": level},
        {"Records": [message_of({"logging_level": level})], "sibling": True},
    ):
        invalid = read(event, around())
        assert isinstance(invalid, Invalid)
        assert invalid.field == "logging_level"
    refused = unfit({"logging_level": level})
    assert refused is not None
    assert refused.field == "logging_level"
    for good in ("DEBUG", "WARNING", 10, 30, None):
        assert unfit({"logging_level": good}) is None
        assert isinstance(read({"logging_level": good}, around()), One)


def test_fifo__a_batch_is_refused_by_an_error() -> None:
    """Siblings continue a job after its message is done, which breaks the order; an answer would lose messages."""
    batch = load_event("sqs")
    batch["Records"][0]["eventSourceARN"] = "arn:aws:sqs:eu-west-1:123456789012:jobs.fifo"
    refused = read(batch, around())
    assert isinstance(refused, Invalid)
    assert (refused.field, refused.needs_error) == ("Records", True)
    assert "must come from a standard queue" in refused.message


def test_pipes__a_list_is_refused_by_an_error() -> None:
    """EventBridge Pipes takes any answer as success: a 400 would lose the events."""
    refused = unfit([{"messageId": "m", "body": "{}"}])
    assert refused is not None
    assert refused.needs_error
    assert "EventBridge Pipes sends lists" in refused.message
    assert unfit({}) is None
