"""Which event continues a job, and when the wait for its end is over."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from presign_siblings.errors import CommandError, TimedOutError, UnfinishedError
from presign_siblings.remote import logs
from presign_siblings.remote import start as starting
from presign_siblings.remote.job_snapshot import JobSnapshot
from presign_siblings.remote.start import Started
from processor.errors import InvalidEventError
from processor.job import DeploymentSettings, Job, SiblingPayload
from processor.ledger import COMPLETE, FAILED, FANNED_OUT, HANDED_OVER, NO_PROGRESS, PARKED, RUNNING
from tests.builders import OPEN, record_of, run_of
from tests.conftest import NOW
from tests.deployed import DEPLOYED, ENVIRONMENT
from tests.log_group import Group, event, line

KEY = Job.from_event({}, config={}, environment=ENVIRONMENT, deployment=OPEN, now=NOW).job_key
ID = f"{KEY[:16]}-{'0' * 16}"


class Functions:
    """Lambda's client: takes every event."""

    def __init__(self) -> None:
        self.invoked: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.invoked.append(request)
        return {"StatusCode": 202, "ResponseMetadata": {"RequestId": "mine", "HTTPHeaders": self.headers}}


def seen(state: str, **fields: Any) -> JobSnapshot:
    """Return a job as the desk sees it."""
    return JobSnapshot(record_of(state, **fields), NOW)


def followed(*events: Any, key: str | None = KEY, seconds: float | None = 0) -> list[str]:
    """Return the names of the lines that a follower of ``mine`` gets."""
    group = Group(*events)
    started = Started("mine", key, NOW)
    tail = logs.Tail(cast("Any", group), "group", NOW - timedelta(seconds=60))
    lines = starting.follow(tail, started, seconds, lambda _: None)
    return [each["event"] for each in lines]


def test_a_parked_job_goes_on_with_its_resume_payload() -> None:
    """The one that the function itself would have answered."""
    parked = seen(PARKED, reason="stopped")
    payload = starting.resume_payload(parked, NOW)
    assert payload["resume"] is True
    assert SiblingPayload.from_payload(payload, OPEN).hop == 3


def test_a_lost_job_goes_on_once_its_lease_is_out() -> None:
    """Before, its holder may still write."""
    with pytest.raises(UnfinishedError, match="its lease still has 20 s"):
        starting.resume_payload(seen(HANDED_OVER, lease_until=NOW + timedelta(seconds=20)), NOW)
    assert starting.resume_payload(seen(RUNNING, lease_until=NOW), NOW)["hop"] == 3


def test_a_job_that_waits_for_its_state_machine_is_left_to_the_function() -> None:
    """No lease of an execution that was aborted runs out; the function asks for it, and leaves a live one alone."""
    waiting = seen(FANNED_OUT, lease_until=NOW + timedelta(days=7))
    assert starting.resume_payload(waiting, NOW)["resume"] is True


@pytest.mark.parametrize(
    "fields",
    [
        {"prefix": "2026/", "end_at": "2026/05"},
        {"prefix": "{yyyy}/{mm}/"},
        {"prefix": "{{a}}/"},
        {"prefixes": ["a/", "b/{dd}/"]},
        {"keys_from": "s3://reports/keys.csv"},
        {"refresh": "s3://reports/manifests/m.jsonl"},
        {"page": True, "page_title": "April"},
    ],
)
def test_a_job_without_a_checkpoint_goes_on_as_itself(fields: dict[str, Any]) -> None:
    """A payload of hop 0 is no sibling's: the job's own fields are, and it stays the same job, whatever the day."""
    place = run_of(**fields)
    payload = starting.resume_payload(seen(RUNNING, place=place, lease_until=NOW), NOW)
    open_, other = DeploymentSettings.from_environment({}, {}), {"PAGE": "true", "PAGE_TITLE": "May", "PREFIX": "x/"}
    job = Job.from_event(payload, config={}, environment=other, deployment=open_, now=NOW + timedelta(days=3))
    assert job == place.job


def test_a_job_without_a_checkpoint_that_would_be_another_by_now_is_refused() -> None:
    """The deployment's new default went into it: other links than were asked for, and a wait for the old job's end."""
    place = SiblingPayload.first(
        Job.from_event({}, config={}, environment=ENVIRONMENT, deployment=OPEN, now=NOW), ID, NOW
    )
    lost = seen(RUNNING, place=place, lease_until=NOW)
    payload = starting.resume_payload(lost, NOW)
    starting.refuse_another(DEPLOYED, lost, payload, NOW)
    changed = replace(DEPLOYED, environment=ENVIRONMENT | {"DISPOSITION": "attachment", "MIN_SIZE": "1"})
    with pytest.raises(CommandError, match="now be another job: .* has DISPOSITION, MIN_SIZE;"):
        starting.refuse_another(changed, lost, payload, NOW)
    starting.refuse_another(changed, seen(PARKED, reason="stopped"), {}, NOW)


@pytest.mark.parametrize("reason", [NO_PROGRESS, "SourceRefusedError"])
def test_a_job_that_has_failed_for_what_may_be_over_goes_on_from_its_last_checkpoint(reason: str) -> None:
    """An hour without S3, a policy that was wrong; nothing of it was deleted."""
    assert starting.resume_payload(seen(FAILED, reason=reason), NOW)["resume"] is True


def test_a_job_whose_checkpoint_is_lost_begins_again() -> None:
    """The function does that by itself for the payload of its last hop."""
    assert starting.resume_payload(seen(FAILED, reason="checkpoint_lost"), NOW)["hop"] == 3


@pytest.mark.parametrize(("state", "told"), [(COMPLETE, "is complete"), (FAILED, "has failed")])
def test_what_has_ended_for_good_does_not_go_on(state: str, told: str) -> None:
    """The person is told what to do instead."""
    with pytest.raises(CommandError, match=told):
        starting.resume_payload(seen(state, reason="ArchivedError"), NOW)


def test_an_event_that_breaks_a_rule_is_refused_before_anything_is_invoked() -> None:
    """By the function's own rules, with its own allow-list."""
    functions = Functions()
    with pytest.raises(InvalidEventError, match="ALLOWED_BUCKETS"):
        starting.start(cast("Any", functions), DEPLOYED, {"bucket": "others"})
    assert functions.invoked == []
    started = starting.start(cast("Any", functions), DEPLOYED, {"prefix": ""})
    assert (started.request_id, started.job_key) == ("mine", KEY)
    (invoked,) = functions.invoked
    assert (invoked["FunctionName"], invoked["InvocationType"]) == ("presign", "Event")


def test_a_job_is_followed_through_all_its_hops() -> None:
    """Others' lines, and those from before, are passed over."""
    assert followed(
        event(-2, line("complete", -2, job_id=ID)),
        event(1, line("start", 1, request_id="mine", job_id=ID, job_key=KEY)),
        event(2, line("complete", 2, request_id="other", job_id="ffffffffffffffff-1")),
        event(3, line("handover", 3, request_id="mine", job_id=ID)),
        event(4, line("failed", 4, request_id="second", job_id=ID, terminal=False)),
        event(5, line("complete", 5, request_id="third", job_id=ID)),
        event(6, line("start", 6, request_id="fourth", job_id=ID)),
    ) == ["start", "handover", "failed", "complete"]


def test_a_job_that_only_the_function_knows_is_found_by_the_request() -> None:
    """Where sosw's config row has a say."""
    lines = [
        event(1, line("start", 1, request_id="mine", job_id=ID, job_key=KEY)),
        event(2, line("complete", 2, request_id="second", job_id=ID)),
    ]
    assert followed(*lines, key=None) == ["start", "complete"]


def test_an_answer_from_the_ledger_ends_the_wait() -> None:
    """A finished manifest answers at once; a job of another submitter is followed to its end."""
    answered = json.loads(line("duplicate", 1, request_id="mine", job_id=ID, verdict="finished"))
    assert followed(event(1, json.dumps(answered))) == ["duplicate"]
    assert starting.outcome(answered) == ("complete", "answered from the ledger")
    under_way = event(1, line("duplicate", 1, request_id="mine", job_id=ID, verdict="in_progress"))
    assert followed(under_way, event(2, line("parked", 2, job_id=ID))) == ["duplicate", "parked"]


def test_what_was_said_before_the_start_is_old() -> None:
    """A run that ended a moment ago is not the one that was started."""
    now = datetime.now(UTC)
    group = Group(event((now - NOW).total_seconds(), line("complete", 0, job_id=ID)))
    tail = starting.listen(cast("Any", group), DEPLOYED)
    assert tail.new() == []
    group.events.append(event((now - NOW).total_seconds() + 1, line("parked", 1, job_id=ID)))
    assert [each["event"] for each in tail.new()] == ["parked"]


def test_the_start_is_dated_by_lambdas_clock() -> None:
    """The clock of a laptop may be wrong; the lines are dated by Lambda's."""
    functions = Functions()
    functions.headers = {"date": "Wed, 01 Apr 2026 06:30:15 GMT"}
    assert starting.start(cast("Any", functions), DEPLOYED, {}).at == NOW


def test_a_wait_that_ends_before_the_job_says_so() -> None:
    """With an exit code of its own."""
    with pytest.raises(TimedOutError, match="it continues"):
        followed(event(1, line("start", 1, request_id="mine", job_id=ID)))
