"""``modified_since: last`` takes what changed since the job's last complete run, which the jobs table knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from processor import app
from tests.fakes import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from types_boto3_dynamodb.service_resource import Table
    from types_boto3_s3 import S3Client

    Handler = Callable[..., dict[str, Any]]


def test_each_run_takes_what_changed_since_the_one_before(
    handler: Handler, s3: S3Client, bucket: str, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What S3 dates after a run's start is taken by the next run, whether that run had seen it or not."""
    monkeypatch.setenv("JOBS_TABLE", table.name)
    s3.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF")
    now = datetime.now(UTC)

    def run(seconds: int) -> tuple[list[str], dict[str, Any]]:
        """Run the job with its clock so far from the date of the object."""
        monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: now + timedelta(seconds=seconds)))
        body = handler({"bucket": bucket, "modified_since": "last"}, LambdaContext(aws_request_id=f"{seconds}"))["body"]
        lines = s3.get_object(Bucket=bucket, Key=body["manifest_key"])["Body"].read().splitlines()
        return [json.loads(line)["key"] for line in lines], body

    keys, body = run(-60)
    assert (keys, body.get("skipped")) == (["a.pdf"], None), "the first run takes all"
    keys, _ = run(60)
    assert keys == ["a.pdf"], "it is dated after the start of the run before"
    keys, body = run(120)
    assert (keys, body["skipped"]["modified_since"], "warning" in body) == ([], 1, False)


def test_each_run_takes_the_hours_before_its_own_time(
    handler: Handler, s3: S3Client, bucket: str, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cron line invokes with one payload, always: links of the run before still live, its hours are over."""
    monkeypatch.setenv("JOBS_TABLE", table.name)
    s3.put_object(Bucket=bucket, Key="a.pdf", Body=b"%PDF")
    now = datetime.now(UTC)

    def run(hours: int, request: str) -> tuple[int, str]:
        """Run the job so many hours later."""
        monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: now + timedelta(hours=hours)))
        event = {"bucket": bucket, "modified_since": "1h", "expiry_seconds": "12h"}
        body = handler(event, LambdaContext(aws_request_id=request))["body"]
        return body["count"], body["job_id"]

    first = run(0, "first")
    assert (first[0], run(2, "second")[0]) == (1, 0)
    assert run(2, "second")[0] == 0, "the retry of an event finds its own manifest"
