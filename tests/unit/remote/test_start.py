"""Which event continues a job, and when the wait for its end is over."""

from __future__ import annotations

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
    """Lambda's client, which accepts every event."""

    def __init__(self) -> None:
        self.invoked: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.status = 202

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.invoked.append(request)
        return {"StatusCode": self.status, "ResponseMetadata": {"RequestId": "mine", "HTTPHeaders": self.headers}}


def seen(state: str, **fields: Any) -> JobSnapshot:
    """Return a job as the command line reads it."""
    return JobSnapshot(record_of(state, **fields), NOW)


def lines_of(*events: Any, key: str | None = KEY, seconds: float | None = 0, runs: bool = False) -> list[logs.Line]:
    """Return the lines that following the request ``mine`` gives."""
    group = Group(*events)
    started = Started("mine", key, NOW, runs)
    tail = logs.Tail(cast("Any", group), "group", NOW - timedelta(seconds=60))
    return list(starting.follow(tail, started, seconds, lambda _: None))


def followed(*events: Any, key: str | None = KEY, seconds: float | None = 0) -> list[str]:
    """Return the names of these lines."""
    return [each["event"] for each in lines_of(*events, key=key, seconds=seconds)]


def test_a_parked_job_continues_with_its_resume_payload() -> None:
    """The payload is that of the function's own answer."""
    parked = seen(PARKED, reason="stopped")
    payload = starting.resume_payload(parked, NOW)
    assert payload["resume"] is True
    assert SiblingPayload.from_payload(payload, OPEN).hop == 3


def test_a_lost_job_continues_once_its_lease_has_ended() -> None:
    """Before that, its holder may still write."""
    with pytest.raises(UnfinishedError, match="its lease still has 20 s"):
        starting.resume_payload(seen(HANDED_OVER, lease_until=NOW + timedelta(seconds=20)), NOW)
    assert starting.resume_payload(seen(RUNNING, lease_until=NOW), NOW)["hop"] == 3


def test_a_job_that_waits_for_its_state_machine_is_left_to_the_function() -> None:
    """An aborted execution's lease does not end; the function asks for its state, and leaves a live one alone."""
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
def test_a_job_without_a_checkpoint_continues_by_its_own_fields(fields: dict[str, Any]) -> None:
    """No sibling has a payload of hop 0: the job's fields make the same job again, on any day."""
    place = run_of(**fields)
    payload = starting.resume_payload(seen(RUNNING, place=place, lease_until=NOW), NOW)
    open_, other = DeploymentSettings.from_environment({}, {}), {"PAGE": "true", "PAGE_TITLE": "May", "PREFIX": "x/"}
    job = Job.from_event(payload, config={}, environment=other, deployment=open_, now=NOW + timedelta(days=3))
    assert job == place.job


def test_a_job_without_a_checkpoint_that_would_now_be_another_is_refused() -> None:
    """The deployment's new default changed it: the wait was for the old job, and the links were other ones."""
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
def test_a_job_that_failed_for_a_passing_reason_continues_from_its_last_checkpoint(reason: str) -> None:
    """An hour without S3, a wrong policy; nothing of the job was deleted."""
    assert starting.resume_payload(seen(FAILED, reason=reason), NOW)["resume"] is True


def test_a_job_whose_checkpoint_is_lost_starts_again() -> None:
    """The function does so by itself for the payload of its last hop."""
    assert starting.resume_payload(seen(FAILED, reason="checkpoint_lost"), NOW)["hop"] == 3


@pytest.mark.parametrize(("state", "reason"), [(COMPLETE, "is complete"), (FAILED, "has failed")])
def test_a_job_that_has_ended_for_good_is_not_continued(state: str, reason: str) -> None:
    """The message says what to do instead."""
    with pytest.raises(CommandError, match=reason):
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
    """Lines of other jobs, and from before, are skipped."""
    assert followed(
        event(-2, line("complete", -2, job_id=ID)),
        event(1, line("start", 1, request_id="mine", job_id=ID, job_key=KEY)),
        event(2, line("complete", 2, request_id="other", job_id="ffffffffffffffff-1")),
        event(3, line("handover", 3, request_id="mine", job_id=ID)),
        event(4, line("failed", 4, request_id="second", job_id=ID, terminal=False)),
        event(5, line("complete", 5, request_id="third", job_id=ID)),
        event(6, line("start", 6, request_id="fourth", job_id=ID)),
    ) == ["start", "handover", "failed", "complete"]


def test_a_job_with_unknown_fields_is_found_by_its_request() -> None:
    """Sosw's config row may change its fields. Other jobs' lines, and its own before the job is known, do not count."""
    lines = [
        event(0, line("start", 0, request_id="other", job_id="ffffffffffffffff-1")),
        event(0, line("config", 0, request_id="mine")),
        event(0, '{"event": "undated", "request_id": "mine"}'),
        event(1, line("start", 1, request_id="mine", job_id=ID, job_key=KEY)),
        event(2, line("complete", 2, request_id="second", job_id=ID)),
    ]
    assert followed(*lines, key=None) == ["config", "undated", "start", "complete"]


def test_an_event_that_lambda_does_not_accept_is_reported() -> None:
    """Nothing would ever end the wait."""
    functions = Functions()
    functions.status = 204
    with pytest.raises(CommandError, match="Lambda answered 204 instead of accepting the event"):
        starting.start(cast("Any", functions), DEPLOYED, {})


def test_the_job_of_a_resume_is_known_whatever_the_environment_would_ask_for() -> None:
    """Its payload is of the fields that the environment had at its start."""
    assert starting.start(cast("Any", Functions()), DEPLOYED, {}, "key").job_key == "key"


@pytest.mark.parametrize("seconds", [60, None])
def test_lines_are_looked_for_once_a_second_until_the_time_is_over(seconds: float | None) -> None:
    """CloudWatch Logs takes few requests a second, of the whole account."""
    group, slept = Group(event(1, line("start", 1, request_id="mine", job_id=ID))), list[float]()

    def sleep(length: float) -> None:
        slept.append(length)
        if len(slept) == 3:
            group.events.append(event(5, line("complete", 5, job_id=ID)))

    tail = logs.Tail(cast("Any", group), "group", NOW)
    found = [each["event"] for each in starting.follow(tail, Started("mine", KEY, NOW), seconds, sleep)]
    assert (found, slept) == (["start", "complete"], [1.0] * 3)


def test_a_job_with_unknown_fields_that_is_under_way_is_followed_to_its_end() -> None:
    """The event starts nothing then: any line of its own names the job."""
    lines = [
        event(1, line("duplicate", 1, request_id="mine", job_id=ID, verdict="in_progress", state=RUNNING)),
        event(2, line("complete", 2, request_id="second", job_id=ID)),
    ]
    assert followed(*lines, key=None) == ["duplicate", "complete"]


@pytest.mark.parametrize(
    ("verdict", "last", "reason"),
    [
        ("finished", {"count": 0, "warning": "empty_manifest: no key"}, "answered from the ledger"),
        ("parked", {"reason": "max_hops"}, "max_hops"),
        ("failed", {"reason": "job 1 has failed: ArchivedError", "terminal": True}, "ArchivedError"),
    ],
)
def test_an_answer_from_the_ledger_is_reported_with_what_it_says(
    verdict: str, last: dict[str, Any], reason: str
) -> None:
    """The wait ended at the verdict, and an empty manifest that answered again passed for a full one."""
    name, mine = {"finished": "complete"}.get(verdict, verdict), {"request_id": "mine", "job_id": ID}
    answer = event(1, line("duplicate", 1, **mine, verdict=verdict)), event(2, line(name, 2, **mine, **last))
    found = lines_of(*answer)[-1]
    assert found.items() >= (last | {"event": name, "verdict": verdict}).items()
    state, why = starting.outcome(found)
    assert (state, reason in str(why)) == (name, True)


@pytest.mark.parametrize(("verdict", "name"), [("finished", "complete"), ("parked", "parked"), ("failed", "failed")])
def test_the_answer_to_another_event_is_not_the_end_of_the_job(verdict: str, name: str) -> None:
    """Lambda tries a failed hop again for minutes: the ledger still answers that, while a resume is on its way."""
    other, mine = {"request_id": "retried", "job_id": ID}, {"request_id": "mine", "job_id": ID}
    lines = [
        event(1, line("duplicate", 1, **other, verdict=verdict)),
        event(2, line(name, 2, **other)),
        event(3, line("start", 3, **mine)),
        event(4, line("complete", 4, **mine)),
    ]
    assert [each["event"] for each in lines_of(*lines, runs=True)] == ["duplicate", name, "start", "complete"]
    assert followed(*lines) == ["duplicate", name], "an event that the ledger may answer, too, gets the same answer"


@pytest.mark.parametrize(
    ("fields", "runs"), [({}, False), ({"fresh": True}, True), ({"fresh": False}, False), ({"resume": True}, True)]
)
def test_a_fresh_run_and_a_resume_are_not_answered_from_the_ledger(fields: dict[str, Any], runs: bool) -> None:  # noqa: FBT001
    """Whatever it answers is for another event."""
    assert starting.start(cast("Any", Functions()), DEPLOYED, fields, KEY).runs is runs


def test_another_submitters_job_is_followed_to_its_end() -> None:
    """The answer to the event itself is only that the job is under way."""
    under_way = event(1, line("duplicate", 1, request_id="mine", job_id=ID, verdict="in_progress"))
    assert followed(under_way, event(2, line("parked", 2, job_id=ID))) == ["duplicate", "parked"]


@pytest.mark.parametrize("state", [COMPLETE, PARKED, FAILED])
def test_an_event_that_a_job_has_moved_past_ends_the_wait(state: str) -> None:
    """No hop follows a resume of a run that a later one has replaced: the wait had no end."""
    mine = {"request_id": "mine", "job_id": ID}
    past = event(1, line("duplicate", 1, **mine, verdict="duplicate", state=state))
    (last,) = lines_of(past, event(2, line("in_progress", 2, **mine, verdict="duplicate")), seconds=None)
    assert starting.outcome(last) == ("duplicate", f"the job has moved past this event, and is {state}")


def test_an_event_that_a_live_chain_has_moved_past_is_followed_to_the_chains_end() -> None:
    """So is the job of another request that finds an end."""
    past = event(1, line("duplicate", 1, request_id="mine", job_id=ID, verdict="duplicate", state=RUNNING))
    other = event(2, line("duplicate", 2, request_id="other", job_id=ID, verdict="duplicate", state=PARKED))
    end = event(3, line("complete", 3, job_id=ID))
    assert followed(past, other, end) == ["duplicate", "duplicate", "complete"]


def test_lines_from_before_the_start_do_not_count() -> None:
    """A run that ended a moment ago is not the one that was started."""
    now = datetime.now(UTC)
    group = Group(event((now - NOW).total_seconds(), line("complete", 0, job_id=ID)))
    tail = starting.listen(cast("Any", group), DEPLOYED)
    assert tail.new() == []
    group.events.append(event((now - NOW).total_seconds() + 1, line("parked", 1, job_id=ID)))
    assert [each["event"] for each in tail.new()] == ["parked"]


def test_the_start_is_dated_by_lambdas_clock() -> None:
    """A laptop's clock may be wrong; the lines have Lambda's dates."""
    functions = Functions()
    functions.headers = {"date": "Wed, 01 Apr 2026 06:30:15 GMT"}
    assert starting.start(cast("Any", functions), DEPLOYED, {}).at == NOW
    functions.headers = {}
    assert starting.start(cast("Any", functions), DEPLOYED, {}).at.microsecond == 0, "as the lines' dates"


def test_a_wait_that_ends_before_the_job_reports_it() -> None:
    """With an exit code of its own."""
    with pytest.raises(TimedOutError, match="it continues"):
        followed(event(1, line("start", 1, request_id="mine", job_id=ID)))
