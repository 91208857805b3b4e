"""Single events processed with a ledger: behaviour that no whole chain shows."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from processor.chain import commit, pipeline, resources
from processor.errors import ArchivedError, RetryableError, SourceRefusedError, TerminalError, UnderWayError
from processor.manifest import patience
from tests.behind import PART, put_behind
from tests.conftest import NOW
from tests.fakes import FakeS3, LambdaContext, Meta, refuse
from tests.mutants import put
from tests.simulation.dynamo import FakeDynamo

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes import Siblings
    from tests.output import Output

JOB = {"bucket": "reports", "prefix": "2026/", "page_size": 10}


@dataclass
class Deployed:
    """
    A handler on a bucket and a jobs table in memory.

    :param seconds: Seconds that the clock has advanced.
    :param a_page:  Seconds that each page takes.
    """

    call: Callable[..., dict[str, Any]]
    siblings: Siblings
    s3: FakeS3
    table: FakeDynamo = field(default_factory=FakeDynamo)
    seconds: float = 0.0
    a_page: float = 0.0

    def hop(self, event: dict[str, Any], pages: int = 99) -> dict[str, Any]:
        """Deliver an event to a hop with time for the given pages."""
        context = LambdaContext(aws_request_id=f"at {self.seconds}", ticks=[900.0] * (pages - 1) + [9.0])
        answer: dict[str, Any] = self.call(event, context)["body"]
        return answer

    @property
    def record(self) -> dict[str, Any]:
        """The record's attributes."""
        (item,) = self.table.items.values()
        return {name: next(iter(value.values())) for name, value in item.items()}


@pytest.fixture
def deployed(handler: Callable[..., dict[str, Any]], siblings: Siblings, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """Give the Processor a bucket and a table in memory, and a clock that the pages advance."""
    made = Deployed(handler, siblings, FakeS3([f"2026/{n:02}.pdf" for n in range(35)], min_part=PART))

    async def pass_time(operation: str, _: object) -> None:
        made.seconds += made.a_page if operation == "list" else 0.0

    made.s3.before = pass_time
    put_behind(monkeypatch, made)
    monkeypatch.setenv("QUEUE_MAX", "1")  # nothing is read ahead, so each page takes a page's time
    return made


def logged(output: Output, *events: str) -> list[dict[str, Any]]:
    """Return the log lines of some events."""
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    return [line for line in lines if line.get("event") in events]


def metric(output: Output, name: str) -> list[float]:
    """Return a metric's value of each invocation."""
    lines = [json.loads(line) for line in output.getvalue().splitlines() if '"_aws"' in line]
    return [line[name][0] for line in lines]


def denied(deployed: Deployed) -> None:
    """Make S3 deny the listing from now on."""

    async def deny(operation: str, _: object) -> None:
        if operation == "list":
            raise refuse("AccessDenied", status=403)

    deployed.s3.before = deny


def archived(deployed: Deployed) -> None:
    """Make the listing find an object from now on that ends the job for good."""

    async def find(operation: str, _: object) -> None:
        if operation == "list":
            raise ArchivedError("it is archived")

    deployed.s3.before = find


def pieces(deployed: Deployed) -> list[str]:
    """Return the keys of the stored pieces."""
    return [key for key in deployed.s3.objects if "/pieces/" in key]


def test_a_job_that_cannot_continue_is_recorded_as_failed_and_its_pieces_deleted(deployed: Deployed) -> None:
    """In this order: the record decides whether the pieces are still needed."""
    deployed.hop(JOB, pages=1)
    assert pieces(deployed)

    archived(deployed)
    with pytest.raises(ArchivedError):
        deployed.hop(deployed.siblings.payloads[0])
    assert (deployed.record["state"], deployed.record["reason"]) == ("failed", "ArchivedError")
    assert not pieces(deployed)
    assert not deployed.s3.uploads


def test_a_job_that_s3_refuses_keeps_its_pieces_until_an_operators_resume(deployed: Deployed) -> None:
    """A policy that was wrong for a minute cost forty hops; only the refused hop's own pieces are deleted."""
    deployed.hop(JOB, pages=1)
    listing, kept = deployed.s3.before, pieces(deployed)
    denied(deployed)
    with pytest.raises(SourceRefusedError):
        deployed.hop(deployed.siblings.payloads[0])
    with pytest.raises(TerminalError, match="SourceRefusedError; resume continues it"):  # Lambda's retry, or a replay
        deployed.hop(deployed.siblings.payloads[0])
    assert (deployed.record["state"], deployed.record["reason"]) == ("failed", "SourceRefusedError")
    assert pieces(deployed) == kept
    assert not deployed.s3.uploads

    deployed.s3.before = listing
    answer = deployed.hop({**deployed.siblings.payloads[0], "resume": True})
    assert (answer["status"], answer["count"], answer["hops"]) == ("complete", 35, 2)
    assert not pieces(deployed)


def test_a_stopped_hop_writes_one_more_page(deployed: Deployed) -> None:
    """However much time it has: it knows of the stop from its claim on."""
    deployed.hop(JOB, pages=1)
    deployed.table.items[deployed.record["job_key"]]["stop"] = {"BOOL": True}
    stopped = deployed.hop(deployed.siblings.payloads[0])
    assert (stopped["status"], stopped["reason"]) == ("parked", "stopped")
    assert int(deployed.record["count"]) == 20


def test_a_hop_records_when_the_first_urls_expire(deployed: Deployed) -> None:
    """A later submission does not continue a run whose first links have expired."""
    deployed.hop(JOB, pages=1)
    dies_at = datetime.fromtimestamp(int(deployed.record["expires_at"]) / 1000, UTC)
    assert dies_at == NOW.replace(microsecond=0) + timedelta(seconds=900)


def test_a_manifest_next_to_a_foreign_object_answers_only_while_its_urls_live(deployed: Deployed) -> None:
    """The second write, which says why the stable key was left alone, keeps the record's end."""
    key = "manifests/latest.jsonl"
    deployed.s3.objects[key] = b"somebody's"
    first = deployed.hop({**JOB, "manifest_key": key})
    assert (first["status"], "not a job's manifest" in first["warning"]) == ("complete", True)
    deployed.seconds = 901
    assert deployed.hop({**JOB, "manifest_key": key})["job_id"] != first["job_id"]


def test_without_a_ledger_an_invoke_without_an_answer_parks_the_job(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry of the event would repeat the hop, beside the sibling that Lambda may have accepted."""
    monkeypatch.delenv("JOBS_TABLE")
    deployed.siblings.error = ReadTimeoutError(endpoint_url="https://lambda")
    parked = deployed.hop(JOB, pages=1)
    assert (parked["status"], parked["reason"]) == ("parked", "sibling_unknown: ReadTimeoutError")


def test_a_list_request_that_fails_for_now_costs_no_hop_and_nothing_written(
    deployed: Deployed, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    S3 asks to slow down for longer than the SDK tries, again and again: a hop pauses and continues while it has time.

    With a hand-over at once, half an hour of that took 45 hops of one chain, and all of a job's budget with several; a
    hop that began in it raised at its first page, and Lambda's two retries were over long before the storm.
    """
    monkeypatch.setattr(pipeline, "PAUSE_SECONDS", 0.001)
    lists: list[str] = []

    async def busy(operation: str, _: object) -> None:
        lists.extend([operation] if operation == "list" else [])
        if operation == "list" and len(lists) in {3, 4, 6}:
            raise refuse("SlowDown", "ListObjectsV2", 503)

    deployed.s3.before = busy
    answer = deployed.hop({**JOB, "concurrency": 1})
    assert (answer["status"], answer["count"], answer["hops"]) == ("complete", 35, 1)
    reasons = [line["reason"] for line in logged(output, "listing_paused")]
    assert len(reasons) == 3
    assert all("SlowDown" in reason for reason in reasons)


def test_a_write_that_fails_for_now_costs_no_hop(
    deployed: Deployed, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hop raised, and all that it had listed was listed again; the next hop met the same storm."""
    monkeypatch.setattr(patience, "PAUSE_SECONDS", 0.001)
    failing = ["create", "part", "complete", "copy", "complete"]  # of a piece, then of the commit

    async def busy(operation: str, _: object) -> None:
        if failing[:1] == [operation]:
            failing.pop(0)
            raise refuse("SlowDown", "UploadPart", 503)

    deployed.s3.before = busy
    answer = deployed.hop(JOB)
    assert (answer["status"], answer["count"], answer["hops"], failing) == ("complete", 35, 1, [])
    reasons = [line["reason"] for line in logged(output, "writing_paused")]
    assert len(reasons) == 5
    assert all("SlowDown" in reason for reason in reasons)


def test_a_storm_that_outlasts_the_hop_hands_over_the_written_keys(deployed: Deployed) -> None:
    """The next hop tries while it has time; then it raises, since it has written nothing, and is not parked."""

    async def busy(operation: str, request: Any) -> None:
        if operation == "list" and (request.get("ContinuationToken") or request.get("StartAfter")):
            raise refuse("SlowDown", "ListObjectsV2", 503)

    listing, deployed.s3.before = deployed.s3.before, busy
    answer = deployed.hop({**JOB, "concurrency": 1}, pages=2)
    assert (answer["status"], answer["count"]) == ("continued", 10)
    with pytest.raises(RetryableError, match="SlowDown"):  # Lambda tries again, later
        deployed.hop(deployed.siblings.payloads[0], pages=1)
    assert deployed.record["state"] == "running"
    deployed.seconds, deployed.s3.before = 60.0, listing
    answer = deployed.hop(deployed.siblings.payloads[0])
    assert (answer["status"], answer["count"], answer["hops"]) == ("complete", 35, 2)


def test_a_job_that_begins_in_a_storm_fails_at_once(deployed: Deployed, output: Output) -> None:
    """Its bucket or its endpoint may be wrong, and the caller waits for the answer."""

    async def busy(operation: str, _: object) -> None:
        if operation == "list":
            raise refuse("SlowDown", "ListObjectsV2", 503)

    deployed.s3.before = busy
    with pytest.raises(RetryableError, match="SlowDown"):
        deployed.hop(JOB)
    assert logged(output, "listing_paused") == []


def test_an_expired_session_is_reported_at_once(
    deployed: Deployed, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other try can help: a local run reported it after two hops, the first of which was spent on pauses."""
    monkeypatch.setattr(pipeline, "PAUSE_SECONDS", 0.001)
    lists: list[str] = []

    async def end(operation: str, _: object) -> None:
        lists.extend([operation] if operation == "list" else [])
        if len(lists) > 2:
            raise refuse("ExpiredToken", "ListObjectsV2", 400)

    deployed.s3.before = end
    with pytest.raises(RetryableError, match="ExpiredToken.*sign in again"):
        deployed.hop({**JOB, "concurrency": 1}, pages=6)
    assert logged(output, "listing_paused") == logged(output, "writing_paused") == []
    assert len(lists) < 6


def test_a_failure_that_cannot_be_recorded_leaves_the_pieces_to_the_retry(deployed: Deployed) -> None:
    """The object is restored, and the run continues (seed 319 found its upload deleted)."""
    deployed.hop(JOB, pages=1)
    listing, before = deployed.s3.before, pieces(deployed)
    archived(deployed)

    async def refuse_the_end(_: str, request: Any) -> None:
        if {"S": "failed"} in request.get("ExpressionAttributeValues", {}).values():
            raise refuse("InternalServerError", status=500)

    deployed.table.before = refuse_the_end
    with pytest.raises(ArchivedError):
        deployed.hop(deployed.siblings.payloads[0])
    assert (deployed.record["state"], pieces(deployed)) == ("running", before)

    deployed.table.before, deployed.s3.before = None, listing
    deployed.seconds += 46
    assert deployed.hop(deployed.siblings.payloads[0])["count"] == 35
    assert not deployed.s3.uploads
    assert not pieces(deployed)


def test_a_finished_manifest_is_counted_once_however_often_it_is_requested(deployed: Deployed, output: Output) -> None:
    """A consumer that asked each hour silenced the alarm of a schedule whose jobs no longer completed."""
    asked = JOB | {"prefix": "none/"}
    first = deployed.hop(asked)
    deployed.seconds += 60
    again = deployed.hop(asked)
    assert first["manifest_key"] == again["manifest_key"]
    assert len(logged(output, "complete")) == len(logged(output, "shortfall")) == 2
    assert (metric(output, "Completed"), metric(output, "EmptyManifests")) == ([1, 0], [1, 0])


def test_a_finished_manifest_answers_only_while_a_roles_session_can_last(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its links claim a week, and expire with the session that signed them."""
    monkeypatch.setattr(resources, "is_of_role", lambda *_: True)
    week = JOB | {"expiry_seconds": 7 * 86_400}
    first = deployed.hop(week)
    deployed.seconds = 11 * 3600
    assert deployed.hop(week)["job_id"] == first["job_id"]
    deployed.seconds = 13 * 3600
    assert deployed.hop(week)["job_id"] != first["job_id"]


def test_a_schedule_that_meets_the_previous_run_reports_that_it_is_skipped(deployed: Deployed, output: Output) -> None:
    """A run may outlast the interval: nobody sees the answer, and there was only a metric."""
    times = [(NOW + timedelta(hours=hour)).isoformat() for hour in range(2)]
    deployed.hop(JOB | {"time": times[0]}, pages=1)
    deployed.hop(deployed.siblings.payloads[0], pages=1)
    assert deployed.hop(JOB | {"time": times[0]})["status"] == "in_progress"
    assert not logged(output, "run_skipped"), "it is the run's own time"
    deployed.seconds += 1
    assert deployed.hop(JOB | {"time": (NOW - timedelta(hours=1)).isoformat()})["status"] == "in_progress"
    assert not logged(output, "run_skipped"), "the run began later than that"
    assert deployed.hop(JOB | {"time": times[1]})["status"] == "in_progress"
    (line,) = logged(output, "run_skipped")
    assert (line["time"], line["level"]) == (times[1], "WARNING")
    assert line["running_since"] == json.loads(deployed.record["place"])["started"]


def killed_in_its_commit(deployed: Deployed, payload: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Kill a hop with its CompleteMultipartUpload under way; return the object that it would store."""
    kept: dict[str, Any] = {}

    async def die(operation: str, _: object) -> None:
        if (
            operation == "complete"
            and payload["manifest"]["key"] in deployed.s3.headers[next(iter(deployed.s3.uploads))].values()
        ):
            (upload_id,) = deployed.s3.uploads
            kept["body"] = b"".join(body for _, body in sorted(deployed.s3.uploads[upload_id].items()))
            kept["headers"] = deployed.s3.headers[upload_id]
            raise RuntimeError("killed")  # an error of S3 would be handed over

    deployed.s3.before = die
    with pytest.raises(RuntimeError, match="killed"):
        deployed.hop(payload)
    deployed.s3.before = None
    deployed.seconds += 46
    return kept["body"], kept["headers"]


@pytest.mark.parametrize("moment", ["claim", "list", "create", "complete"])
def test_every_report_of_a_manifest_matches_the_bytes_that_appeared(
    deployed: Deployed, moment: str, output: Output
) -> None:
    """
    A holder's commit lands after its death, while its successor works; the bucket has changed in between.

    Answer, record, log and manifest agree on whose bytes appeared.
    """
    deployed.hop(JOB, pages=1)
    payload = deployed.siblings.payloads[0]
    body, headers = killed_in_its_commit(deployed, payload)
    deployed.s3.keys += ["2026/40.pdf", "2026/41.pdf"]

    async def arrive(operation: str, _: object) -> None:
        if operation == moment and payload["manifest"]["key"] not in deployed.s3.objects:
            deployed.s3.store(payload["manifest"]["key"], body, headers)

    if moment == "claim":
        deployed.s3.store(payload["manifest"]["key"], body, headers)
    deployed.s3.before = arrive
    answer = deployed.hop(payload)
    assert (answer["status"], answer["count"], deployed.record["state"]) == ("complete", 35, "complete")
    metadata = deployed.s3.metadata[payload["manifest"]["key"]]
    result = json.loads(deployed.record["result"])
    (line,) = logged(output, "complete")
    for report in (answer, result, line):
        assert (str(report["count"]), report["expires_at"]) == (metadata["count"], metadata["expires-at"])
    for report in (result, line):
        assert (report["crc32"], str(report["size"])) == (metadata["crc32"], metadata["size"])
    assert int(deployed.record["count"]) == 35
    assert metadata["crc32"] == f"{zlib.crc32(deployed.s3.objects[payload['manifest']['key']]):08x}"
    assert not deployed.s3.uploads
    assert not pieces(deployed)


@pytest.mark.parametrize("moment", ["create", "complete"])
def test_without_the_manifests_own_metadata_the_reports_would_differ(
    deployed: Deployed, moment: str, output: Output
) -> None:
    """The simulation's histories meet this too seldom."""
    with (
        put(commit, "corrected", lambda result, _: dict(result))(),
        pytest.raises(AssertionError),
    ):
        test_every_report_of_a_manifest_matches_the_bytes_that_appeared(deployed, moment, output)


def test_a_manifest_that_appeared_is_the_jobs_although_its_checkpoint_is_lost(deployed: Deployed) -> None:
    """A second manifest of the same keys would be made; only the pieces, which nothing names, stay."""
    deployed.hop(JOB, pages=1)
    payload = deployed.siblings.payloads[0]
    deployed.s3.store(payload["manifest"]["key"], *killed_in_its_commit(deployed, payload))
    del deployed.s3.objects[payload["manifest"]["checkpoint"]]
    answer = deployed.hop(payload)
    assert (answer["status"], answer["job_id"], answer["count"]) == ("complete", payload["job_id"], 35)


@pytest.mark.parametrize("hops", [0, 1])
def test_a_retry_that_meets_a_live_lease_raises_until_the_lease_has_ended(deployed: Deployed, hops: int) -> None:
    """An answer would acknowledge the event, and the job of a hop that was killed would be lost."""
    event = JOB
    for _ in range(hops):
        deployed.hop(event, pages=1)
        event = deployed.siblings.payloads[-1]
    began, listing = deployed.seconds, deployed.s3.before

    async def die(operation: str, _: object) -> None:
        if operation == "list":
            raise RuntimeError("killed")

    deployed.s3.before = die
    with pytest.raises(RuntimeError, match="killed"):
        deployed.hop(event)
    deployed.s3.before = listing
    with pytest.raises(UnderWayError, match="Lambda delivers this event again"):
        deployed.call(event, LambdaContext(aws_request_id=f"at {began}"))
    deployed.seconds += 46
    answer = deployed.call(event, LambdaContext(aws_request_id=f"at {began}"))["body"]
    assert (answer["status"], answer["count"]) == ("complete", 35)


def test_a_frozen_holder_that_wakes_changes_nothing(deployed: Deployed) -> None:
    """Its successor's manifest stays: the frozen holder's own commit is refused, and it writes nothing more."""
    deployed.hop(JOB, pages=1)
    payload = deployed.siblings.payloads[0]
    body, headers = killed_in_its_commit(deployed, payload)
    deployed.s3.keys += ["2026/40.pdf"]
    answer = deployed.hop(payload)
    stood = dict(deployed.s3.objects), dict(deployed.s3.metadata)
    assert answer["count"] == 36
    assert headers["Metadata"]["count"] == "35"
    assert body != deployed.s3.objects[payload["manifest"]["key"]]
    assert deployed.hop(payload)["count"] == 36
    assert (deployed.s3.objects, deployed.s3.metadata) == stood


def test_urls_that_will_expire_during_the_next_hop_are_reported_a_hop_before(
    deployed: Deployed, output: Output
) -> None:
    """In the log, a metric, and the answer; as soon as another hop as long as this one would be too long."""
    deployed.a_page = 450
    first = deployed.hop(JOB, pages=1)
    assert "warning" not in first
    second = deployed.hop(deployed.siblings.payloads[0], pages=1)
    assert (second["status"], second["warning"]) == ("continued", "urls_expiring")
    (line,) = logged(output, "urls_expiring")
    assert (line["hop"], line["expiry_seconds"]) == (1, 900)
    assert datetime.fromisoformat(line["expires_at"]) == (NOW + timedelta(seconds=1350)).replace(tzinfo=UTC)
    assert metric(output, "UrlsExpiring") == [0, 1]


def test_a_job_too_long_for_its_urls_is_recognised_at_its_first_checkpoint(deployed: Deployed) -> None:
    """The last manifest has the number of keys: at this pace the first URLs expire long before the last key."""
    deployed.hop(JOB)
    deployed.a_page, deployed.seconds = 400, 60
    first = deployed.hop({**JOB, "fresh": True}, pages=1)
    assert (first["status"], first["warning"]) == ("continued", "urls_expiring")


def test_expired_urls_are_reported_at_every_checkpoint_and_at_the_end(deployed: Deployed, output: Output) -> None:
    """A caller who reads only the answer learns it too, also from parked jobs."""
    deployed.a_page = 500
    answers = [deployed.hop(JOB, pages=1)]
    while answers[-1]["status"] == "continued":
        answers.append(deployed.hop(deployed.siblings.payloads[-1], pages=1))
    assert [answer.get("warning") for answer in answers] == [None, "urls_expiring", "urls_expired", "urls_expired"]
    assert answers[-1]["status"] == "complete"
    assert metric(output, "ExpiredManifests") == [0, 0, 0, 1]
    assert metric(output, "UrlsExpiring") == [0, 1, 1, 0]
    assert [line["hop"] for line in logged(output, "urls_expired")] == [2, 3]
    (complete,) = logged(output, "complete")
    assert complete["warning"] == "urls_expired", "whoever waits for the line reads no further"


def test_a_job_that_parks_with_expiring_urls_reports_them_too(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator who resumes it should know."""
    monkeypatch.setenv("MAX_HOPS", "1")
    deployed.a_page = 1000
    answer = deployed.hop(JOB, pages=1)
    assert (answer["status"], answer["reason"], answer["warning"]) == ("parked", "max_hops", "urls_expiring")


def test_urls_that_live_to_the_end_cause_no_warning(deployed: Deployed, output: Output) -> None:
    """Neither in the answer nor in the log, nor in the metric of the alarm."""
    deployed.a_page = 100
    deployed.hop(JOB, pages=2)
    assert "warning" not in deployed.hop(deployed.siblings.payloads[0])
    assert not logged(output, "urls_expiring", "urls_expired")
    assert metric(output, "ExpiredManifests") == [0, 0]


class Counted:
    """EventBridge, CloudWatch and Lambda with one rule of the function's own, and a count of their calls."""

    def __init__(self, recursive_loop: str = "Allow") -> None:
        self.calls: list[str] = []
        self.payloads: list[dict[str, Any]] = []
        self.recursive_loop = recursive_loop
        self.meta = Meta()

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        if operation.startswith("_") or not hasattr(type(self), f"_{operation}"):
            raise AttributeError(operation)

        def call(**request: Any) -> dict[str, Any]:
            self.calls.append(operation)
            return getattr(self, f"_{operation}")(request)  # type: ignore[no-any-return]

        return call

    def _list_rule_names_by_target(self, request: dict[str, str]) -> dict[str, Any]:
        return {"RuleNames": ["nightly"] if request["TargetArn"].endswith(":function:presign") else []}

    def _describe_rule(self, _: object) -> dict[str, Any]:
        return {"State": "ENABLED"}

    def _get_metric_data(self, _: object) -> dict[str, Any]:
        return {"MetricDataResults": [{"Values": [2.0]}]}

    def _get_function_recursion_config(self, _: object) -> dict[str, Any]:
        return {"RecursiveLoop": self.recursive_loop}

    def _invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        self.payloads.append(json.loads(request["Payload"]))
        return {"StatusCode": 202}

    def taken(self) -> list[str]:
        """Return the calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def counted(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Make one counting service serve all the siblings' clients."""
    assert deployed
    made = Counted()
    monkeypatch.setattr("processor.siblings.manager.boto3.client", lambda *_, **__: made)
    return made


A_HAND_OVER = ["describe_rule", "get_metric_data", "invoke"]


def test_a_hand_over_costs_three_calls_with_one_rule_of_its_own(deployed: Deployed, counted: Counted) -> None:
    """The first also looks up the rule and Lambda's recursion guard, once a chain; the last needs no call."""
    deployed.hop(JOB, pages=1)
    discovery = counted.taken()
    assert [call for call in discovery if call in A_HAND_OVER] == A_HAND_OVER
    assert set(discovery) - set(A_HAND_OVER) == {"list_rule_names_by_target", "get_function_recursion_config"}
    assert discovery.count("get_function_recursion_config") == 1
    for _ in range(2):
        assert deployed.hop(counted.payloads[-1], pages=1)["status"] == "continued"
        assert counted.taken() == A_HAND_OVER
    assert deployed.hop(counted.payloads[-1])["status"] == "complete"
    assert counted.taken() == []


def test_the_first_hop_warns_that_lambda_will_cut_the_chain(
    deployed: Deployed, counted: Counted, output: Output
) -> None:
    """The function is back at Lambda's default. The warning comes once a chain, and the chain continues."""
    counted.recursive_loop = "Terminate"
    deployed.hop(JOB, pages=1)
    deployed.hop(counted.payloads[-1], pages=1)
    (line,) = logged(output, "recursive_loop")
    assert (line["level"], line["hop"]) == ("WARNING", 0)
    assert "after about 16 siblings" in line["reason"]


@pytest.mark.parametrize(("environment", "pages"), [({}, 99), ({"MAX_HOPS": "1"}, 1)])
def test_a_first_hop_without_a_hand_over_does_not_look_up_the_recursion_guard(
    deployed: Deployed, counted: Counted, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], pages: int
) -> None:
    """It completes, or parks."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    deployed.hop(JOB, pages=pages)
    assert "get_function_recursion_config" not in counted.calls


def test_a_hop_that_the_ledger_stops_after_its_checkpoint_leaves_no_upload(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record never named the checkpoint: the retry began another upload, and the parts of the first were billed."""
    monkeypatch.setattr(patience, "PAUSE_SECONDS", 0.001)
    before = deployed.s3.before

    async def busy(operation: str, key: str) -> None:
        if operation == "complete" and "/." not in key:
            raise refuse("SlowDown", "CompleteMultipartUpload", 503)

    async def lost(_: str, __: object) -> None:
        if any("/pieces/" not in key and "/." in key for key in deployed.s3.objects):
            raise refuse("InternalServerError", status=500)

    deployed.s3.before, deployed.table.before = busy, lost
    with pytest.raises(RetryableError):
        deployed.hop(JOB, pages=30)
    assert not deployed.s3.uploads

    deployed.s3.before, deployed.table.before, deployed.seconds = before, None, 60.0
    answer = deployed.hop(JOB)
    assert (answer["status"], answer["count"]) == ("complete", 35)
    assert not deployed.s3.uploads
