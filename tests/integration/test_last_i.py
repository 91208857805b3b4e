"""``modified_since: last`` takes what changed since the start of the job's last complete run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from processor import app
from tests.fakes import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb.service_resource import Table
    from types_boto3_s3 import S3Client

    Handler = Callable[..., dict[str, Any]]
    Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(handler: Handler, s3: S3Client, bucket: str, table: Table, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a job on one object, at some distance from its date, and returns the answer."""
    monkeypatch.setenv("JOBS_TABLE", table.name)
    s3.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF")
    now = datetime.now(UTC)

    def at(later: timedelta, request: str, **fields: str) -> dict[str, Any]:
        monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: now + later))
        body: dict[str, Any] = handler({"bucket": bucket, **fields}, LambdaContext(aws_request_id=request))["body"]
        return body

    return at


def test_each_run_takes_what_changed_since_the_last_one(run: Run, s3: S3Client, bucket: str) -> None:
    """An object dated after a run's start is taken by the next run, whether the first had seen it or not."""

    def taken(seconds: int) -> tuple[list[str], dict[str, Any]]:
        body = run(timedelta(seconds=seconds), f"{seconds}", modified_since="last")
        lines = s3.get_object(Bucket=bucket, Key=body["manifest_key"])["Body"].read().splitlines()
        return [json.loads(line)["key"] for line in lines], body

    keys, body = taken(-60)
    assert (keys, body.get("skipped")) == (["a.pdf"], None), "the first run did not take all"
    keys, _ = taken(60)
    assert keys == ["a.pdf"], "its date is after the start of the last run"
    keys, body = taken(120)
    assert (keys, body["skipped"]["modified_since"], "warning" in body) == ([], 1, False)


def test_each_run_takes_the_hours_before_its_own_time(run: Run) -> None:
    """A cron line always sends the same payload; the links of the last run live on, but its hours are over."""

    def count(hours: int, request: str) -> int:
        body = run(timedelta(hours=hours), request, modified_since="1h", expiry_seconds="12h")
        return int(body["count"])

    assert (count(0, "first"), count(2, "second")) == (1, 0)
    assert count(2, "second") == 0, "the retry of an event has its own manifest"
