"""The tester derives the timeline of a chain from its ledger and its log."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dev.tester import timeline
from dev.tester.log_reader import LOG, METRIC, PLATFORM, Line, Reader
from dev.tester.timeline import MAX_POINTS, Attempt, Timeline, thinned
from processor.job import DeploymentSettings, Job, SiblingPayload
from processor.ledger import Record
from processor.reporting.metrics import emf
from tests.conftest import NOW

if TYPE_CHECKING:
    import pytest

BEGAN = NOW.timestamp()
JOB = Job.from_event(
    {"bucket": "reports"}, config={}, environment={}, deployment=DeploymentSettings.from_environment({}, {}), now=NOW
)


def record(holder: str, hop: int, state: str = "running", count: int = 0) -> Record:
    """Return the ledger's record at one moment."""
    place = replace(SiblingPayload.first(JOB, JOB.job_id("one"), NOW), hop=hop)
    lease = NOW + timedelta(seconds=45)
    return Record(job_key=JOB.job_key, state=state, place=place, holder=holder, lease_until=lease, runs=(), count=count)


def line(request: str, after: float, event: str, hop: int, **fields: Any) -> Line:
    """Return a line of the function's log."""
    return Line(
        "chain", LOG, BEGAN + after, request, {"event": event, "hop": hop, "job_id": JOB.job_id("one"), **fields}
    )


def outcomes(course: Timeline) -> list[tuple[int, str]]:
    """Return hop and outcome of each attempt."""
    return [(attempt.hop, attempt.outcome) for attempt in course.attempts()]


def test_a_hop_is_shown_from_its_record_and_completed_from_its_log() -> None:
    """The emulator delivers a hop's lines when it ends."""
    course = Timeline(JOB.job_key, BEGAN)
    course.observe(record("a", 0), BEGAN + 1)
    assert [(each.hop, each.outcome, each.ended) for each in course.attempts()] == [(0, "running", None)]
    course.read([line("r0", 0.9, "start", 0), line("r0", 2, "checkpoint", 0, count=10), line("r0", 2.2, "handover", 0)])
    course.observe(record("b", 1), BEGAN + 2.5)
    first, second = course.attempts()
    assert (first.outcome, first.began, first.ended, first.count) == ("handed over", BEGAN + 0.9, BEGAN + 2.2, 10)
    assert (second.hop, second.outcome) == (1, "running")


def test_a_killed_hop_stays_in_the_timeline_and_its_retry_follows_it() -> None:
    """Its own log is never delivered."""
    course = Timeline(JOB.job_key, BEGAN)
    course.observe(record("a", 0), BEGAN + 1)
    course.kill("a", BEGAN + 1.5)
    assert outcomes(course) == [(0, "killed")]
    course.observe(record("b", 0), BEGAN + 5)
    course.read([line("r1", 5, "start", 0), line("r1", 6, "complete", 0, count=3)])
    assert outcomes(course) == [(0, "killed"), (0, "complete")]
    killed = course.attempts()[0]
    assert (killed.began, killed.ended) == (BEGAN + 1, BEGAN + 1.5)


def test_another_jobs_lines_are_not_in_the_timeline() -> None:
    """An earlier run's last hop may still write."""
    course = Timeline(JOB.job_key, BEGAN)
    course.read([line("r", 1, "start", 4, job_id="0123456789abcdef-0123456789abcdef")])
    assert course.attempts() == []


def test_a_timeline_may_be_read_while_its_thread_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's stream broke when a hop began at that moment."""
    course = Timeline(JOB.job_key, BEGAN)
    for number in range(3):
        course.observe(record(str(number), number), BEGAN + number)
        course.read([line(str(number), number, "start", number)])
    read, seen = timeline._logged, timeline._is_of

    def logged(lines: list[Line]) -> Attempt | None:
        number = 10 + len(course._lines)
        course.read([line(str(number), number, "start", number)])
        return read(lines)

    def is_of(*each: Any) -> bool:
        number = 10 + len(course._spells)
        course.observe(record(str(number), number), BEGAN + number)
        return seen(*each)

    monkeypatch.setattr(timeline, "_logged", logged)
    monkeypatch.setattr(timeline, "_is_of", is_of)
    assert len(course.attempts()) == 3


def test_the_log_of_a_killed_hop_makes_no_second_bar() -> None:
    """An emulator may deliver what the hop had written before."""
    course = Timeline(JOB.job_key, BEGAN)
    course.observe(record("a", 2), BEGAN + 1)
    course.kill("a", BEGAN + 1.5)
    course.read([line("r0", 1, "start", 2)])
    assert outcomes(course) == [(2, "killed")]


def test_parks_failures_retries_and_duplicates_have_a_reason() -> None:
    """In the reader's words."""
    course = Timeline(JOB.job_key, BEGAN)
    course.read(
        [
            line("p", 1, "start", 3),
            line("p", 2, "parked", 3, reason="rules_disabled"),
            line("w", 3, "duplicate", 3, state="running", verdict="again"),
            line("w", 3.1, "failed", 3, reason="job is under way", terminal=False),
            line("d", 4, "duplicate", 3, state="complete", verdict="duplicate"),
            line("f", 5, "start", 4),
            line("f", 6, "failed", 4, reason="bucket gone", terminal=True),
        ]
    )
    assert [(each.outcome, each.reason) for each in course.attempts()] == [
        ("parked", "rules_disabled"),
        ("retry", "job is under way"),
        ("ended", "nothing to do: the job is complete"),
        ("failed", "bucket gone"),
    ]


def test_keys_over_time_come_from_pages_checkpoints_and_the_ledger() -> None:
    """In the order of time, from the start."""
    course = Timeline(JOB.job_key, BEGAN)
    course.observe(record("a", 0, count=7), BEGAN + 1.5)
    course.read([line("r", 1, "page", 0, count=5), line("r", 2, "checkpoint", 0, count=10)])
    assert course.points() == [(0.0, 0), (1.0, 5), (1.5, 7), (2.0, 10)]
    assert course.count() == 10


def test_a_long_timeline_keeps_its_last_point() -> None:
    """A chart has a few hundred pixels."""
    points = [(float(at), at) for at in range(5000)]
    assert len(thinned(points)) <= MAX_POINTS + 1
    assert thinned(points)[-1] == (4999.0, 4999)
    assert thinned(points[:10]) == points[:10]


class Group:
    """A log group in memory, with its paginator."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.exists = True

    def get_paginator(self, _: str) -> Group:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        if not self.exists:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents")
        return [{"events": self.events}]

    def say(self, stream: str, *messages: str) -> None:
        """Log."""
        at = round(BEGAN * 1000)
        self.events += [{"logStreamName": stream, "message": f"{each}\n", "timestamp": at} for each in messages]


def test_each_line_is_read_once_and_belongs_to_its_invocation() -> None:
    """Two runtimes write at once; sosw's lines and the metrics have no request id."""
    group: Any = Group()
    reader = Reader(group, "/aws/lambda/f", "chain", BEGAN)
    group.say("a", "START RequestId: one Version: $LATEST", '{"level":"INFO","message":"sosw says"}')
    group.say("b", "START RequestId: two Version: $LATEST", emf("space", "f", {"PDFsProcessed": 3.0}))
    found = reader.new()
    assert [(each.kind, each.request) for each in found] == [
        (PLATFORM, "one"),
        (LOG, "one"),
        (PLATFORM, "two"),
        (METRIC, "two"),
    ]
    assert found[3].body == {"PDFsProcessed": 3.0}
    group.say("a", '{"event":"start","timestamp":"2026-04-01 06:30:16,500+0000","hop":0,"request_id":"one"}')
    (later,) = reader.new()
    assert later.at == datetime(2026, 4, 1, 6, 30, 16, 500_000, tzinfo=UTC).timestamp()
    assert reader.new() == []


def test_a_missing_log_group_is_empty() -> None:
    """Lambda creates it with the first line."""
    group: Any = Group()
    group.exists = False
    assert Reader(group, "/aws/lambda/f", "seed", BEGAN).new() == []
