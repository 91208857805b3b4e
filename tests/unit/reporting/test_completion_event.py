"""A log event, a metric and an event on the bus report the end of a job to callers that do not wait."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from processor import app
from processor.aws import open_events
from processor.job import DeploymentSettings, Job, SiblingPayload
from processor.ledger import Claim, Decision, Verdict
from processor.reporting import announce, completion_event
from tests.builders import run_of
from tests.conftest import NOW
from tests.fakes import LambdaContext, connect, refuse
from tests.output import logged, metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.fakes import FakeS3, Siblings
    from tests.output import Output

    Handler = Callable[..., dict[str, Any]]

JOB = {"bucket": "reports", "prefix": "2026/", "page_size": 10}
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/manifests"


class Bus:
    """EventBridge's client: stores the entries, or refuses them."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.refused = ""
        self.refusals = 9
        self.asked = 0
        self.meta: Any = SimpleNamespace(partition="aws")

    async def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - EventBridge's name
        if self.error is not None:
            raise self.error
        self.asked += 1
        if self.refused and self.asked <= self.refusals:
            return {"Entries": [{"ErrorCode": self.refused}]}
        self.entries += Entries
        return {"Entries": [{"EventId": "1"}]}


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    """Give the handler a bus in memory."""
    fake = Bus()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Bus]:
        yield fake

    monkeypatch.setenv("EVENT_BUS", BUS)
    connect(monkeypatch, events=opened)
    return fake


def test_a_finished_manifest_is_announced_without_any_url(
    handler: Handler, s3: FakeS3, bus: Bus, output: Output
) -> None:
    """A rule filters on source, detail-type and the detail's fields; the manifest's URL is for the caller alone."""
    body = handler(JOB)["body"]
    (entry,) = bus.entries
    assert (entry["EventBusName"], entry["Source"], entry["DetailType"]) == (
        BUS,
        "presign-siblings",
        "Manifest Complete",
    )
    detail = json.loads(entry["Detail"])
    assert {name: detail[name] for name in body if name not in {"status", "manifest_url"}} == {
        name: value for name, value in body.items() if name not in {"status", "manifest_url"}
    }
    assert (detail["bucket"], detail["prefix"], detail["manifest_bucket"]) == ("reports", "2026/", "reports")
    assert detail["manifest_key"] in s3.objects
    assert "X-Amz" not in json.dumps(entry)
    assert not logged(output, "not_announced")


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_event_names_the_manifest_by_an_arn_of_its_own_partition(
    region: str, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule of AWS China that filters on ``resources`` matched none."""
    bus = Bus()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Bus]:
        async with open_events() as client:
            bus.meta = client.meta
            yield bus

    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    assert asyncio.run(announce(opened, BUS, run_of(), {})) is None
    (arn,) = bus.entries[0]["Resources"]
    assert arn.startswith(f"arn:{partition}:s3:::reports/manifests/")


def test_only_the_last_sibling_announces(handler: Handler, s3: FakeS3, siblings: Siblings, bus: Bus) -> None:
    """One manifest, one event."""
    assert handler(JOB, LambdaContext(remaining_seconds=9))["statusCode"] == 202
    assert not bus.entries
    assert handler(siblings.payloads[-1])["statusCode"] == 200
    assert len(bus.entries) == 1
    assert s3.objects


@pytest.mark.usefixtures("s3")
def test_the_event_has_each_warning_of_the_answer(
    handler: Handler, siblings: Siblings, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends the links on by the event would send dead ones."""
    handler(JOB, LambdaContext(remaining_seconds=9))
    monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: NOW + timedelta(hours=1)))
    body = handler(siblings.payloads[-1])["body"]
    assert (body["status"], body["warning"]) == ("complete", "urls_expired")
    assert json.loads(bus.entries[0]["Detail"])["warning"] == "urls_expired"


@pytest.mark.parametrize("trouble", ["denied", "lost", "refused"])
def test_a_bus_that_refuses_does_not_fail_the_job(
    handler: Handler, s3: FakeS3, bus: Bus, output: Output, trouble: str
) -> None:
    """The manifest is complete; the log says that no event was sent."""
    if trouble == "denied":
        bus.error = refuse("AccessDeniedException", "PutEvents")
    elif trouble == "lost":
        bus.error = ConnectTimeoutError(endpoint_url="https://events")
    else:
        bus.refused = "ThrottlingException"
    assert handler(JOB)["statusCode"] == 200
    (line,) = logged(output, "not_announced")
    expected = {"denied": "AccessDeniedException", "lost": "ConnectTimeoutError", "refused": "ThrottlingException"}
    assert line["error"] == expected[trouble]
    assert s3.objects


@pytest.mark.parametrize(
    ("code", "asked"), [("ThrottlingException", 3), ("InternalFailure", 3), ("NotAuthorizedForSourceException", 1)]
)
def test_an_entry_refused_for_now_is_put_again(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, code: str, asked: int
) -> None:
    """The answer has status 200, so the SDK does not retry; a consumer of the event would wait for ever."""
    monkeypatch.setattr(completion_event, "WAITS", (0.0, 0.0, 0.0))
    bus.refused, bus.refusals = code, 2

    @asynccontextmanager
    async def opened() -> AsyncIterator[Bus]:
        yield bus

    refused = asyncio.run(announce(opened, BUS, run_of(), {}))
    assert (bus.asked, len(bus.entries), refused) == (asked, asked // 3, None if asked == 3 else code)


def test_a_throttled_event_is_given_time_but_keeps_no_finished_hop_waiting(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tries without a pause meet the same throttling; Lambda may end the hop soon after the manifest is complete."""
    bus.refused, waits = "ThrottlingException", list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Bus]:
        yield bus

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert asyncio.run(announce(opened, BUS, run_of(), {})) == "ThrottlingException"
    first, *others = waits
    assert (first, bus.asked) == (0, len(waits)), "an event that nothing hinders is put at once"
    assert 0 < others[0] < others[1]
    assert sum(waits) <= 3


def test_without_a_bus_nothing_is_announced(handler: Handler, s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """No client is opened either."""
    connect(monkeypatch, events=lambda: pytest.fail("opened"))
    assert handler(JOB)["statusCode"] == 200
    assert s3.objects


class Decided:
    """A ledger with a fixed decision."""

    def __init__(
        self, verdict: Verdict, state: str, hop_number: int, reason: str | None = None, of: str | None = None
    ) -> None:
        self.verdict, self.state, self.hop, self.reason, self.of = verdict, state, hop_number, reason, of

    async def claim(self, claim: Claim) -> Decision:
        run = claim.decide(None).record
        result = {"status": "complete", "job_id": run.job_id, "count": 7} if self.state == "complete" else None
        place = replace(run.place, hop=self.hop, job_id=self.of or run.job_id)
        record = replace(run, place=place, state=self.state, reason=self.reason, result=result)
        return Decision(self.verdict, record)


def decided(monkeypatch: pytest.MonkeyPatch, ledger: Decided) -> None:
    """Make the ledger answer every claim with its decision."""

    @asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Decided]:
        yield ledger

    monkeypatch.setattr(app.Processor, "open_ledger", staticmethod(opened))


@pytest.mark.parametrize(
    ("ledger", "expected"),
    [
        (Decided(Verdict.FINISHED, "complete", 0), (200, "complete", "Completed")),
        (Decided(Verdict.IN_PROGRESS, "running", 0), (409, "in_progress", "InProgress")),
        (Decided(Verdict.DUPLICATE, "running", 2), (409, "in_progress", "InProgress")),
        (Decided(Verdict.PARKED, "parked", 2, "max_hops"), (409, "parked", "Parked")),
    ],
)
def test_an_answer_from_the_ledger_is_a_log_event_and_a_metric_too(
    handler: Handler,
    s3: FakeS3,
    output: Output,
    monkeypatch: pytest.MonkeyPatch,
    ledger: Decided,
    expected: tuple[int, str, str],
) -> None:
    """A schedule does not see the answer of its parked job: each day's line has the payload that resumes it."""
    status, event, metric = expected
    decided(monkeypatch, ledger)
    assert handler(JOB)["statusCode"] == status
    (line,) = logged(output, event)
    assert metrics(output)[-1][metric] == 1
    assert ("resume" in line) == (event == "parked")
    assert not s3.sent("list", "put")


def test_the_last_event_repeated_announces_again_and_another_submission_does_not(
    handler: Handler, s3: FakeS3, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hop that dies between manifest and announcement is retried; EventBridge delivers at least once anyway."""
    decided(monkeypatch, Decided(Verdict.FINISHED, "complete", 0))
    assert handler(JOB)["statusCode"] == 200
    assert len(bus.entries) == 1
    decided(monkeypatch, Decided(Verdict.FINISHED, "complete", 3))
    assert handler(JOB)["statusCode"] == 200
    assert len(bus.entries) == 1
    assert not s3.sent("list", "put")


def test_a_retried_submission_that_took_over_a_dead_run_announces_its_end(
    handler: Handler, s3: FakeS3, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the last event, although another event started the run."""
    decided(monkeypatch, Decided(Verdict.FINISHED, "complete", 3, of="another run"))
    assert handler(JOB)["statusCode"] == 200
    assert len(bus.entries) == 1
    assert not s3.sent("list", "put")


def test_invalid_and_failed_are_metrics(handler: Handler, s3: FakeS3, output: Output) -> None:
    """Each has an alarm."""
    handler({"bucket": "reports", "expiry_seconds": 0})

    async def deny(*_: object) -> None:
        raise refuse("AccessDenied", status=403)

    s3.before = deny
    with pytest.raises(Exception, match="AccessDenied"):
        handler(JOB)
    invalid, failed = metrics(output)
    assert (invalid["Invalid"], invalid["Failed"], invalid["Completed"]) == (1, 0, 0)
    assert (failed["Invalid"], failed["Failed"], failed["Completed"]) == (0, 1, 0)


@pytest.mark.parametrize("bus", ["a bus", "arn:aws:events:eu-west-1:1:event-bus/x", "x" * 300])
def test_event_bus__is_a_name_or_an_arn(handler: Handler, monkeypatch: pytest.MonkeyPatch, bus: str) -> None:
    """The refusal names the variable."""
    monkeypatch.setenv("EVENT_BUS", bus)
    answer = handler(JOB)
    assert answer["statusCode"] == 400
    assert "EVENT_BUS" in answer["body"]["message"]


def test_detail__names_the_job() -> None:
    """``job_key`` finds the record in the jobs table."""
    deployment = DeploymentSettings.from_environment({}, {})
    job = Job.from_event(
        {"bucket": "reports", "task_id": "t"}, config={}, environment={}, deployment=deployment, now=NOW
    )
    detail = completion_event.detail(
        SiblingPayload.first(job, job.job_id("r"), NOW), {"status": "complete", "count": 1}
    )
    assert detail["job_key"] == job.job_key
    assert (detail["task_id"], detail["time"], detail["count"]) == ("t", NOW.isoformat(), 1)
    assert "status" not in detail
