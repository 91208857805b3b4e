"""``manifest_key`` on a server: the newest good manifest of a job always stands there, and nobody else's."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from processor import app
from processor.aws import open_s3
from processor.errors import InvalidEventError, SourceRefusedError
from processor.job import DeploymentSettings, Job
from processor.ledger.record import LEASE
from processor.manifest import Edition, StableObject, stable_object
from tests.buckets import fill
from tests.conftest import NOW
from tests.fakes import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb.service_resource import Table
    from types_boto3_s3 import S3Client

    Handler = Callable[..., dict[str, Any]]

KEY = "manifests/latest.jsonl"


@pytest.fixture
def run(handler: Handler, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return what runs a job some days later."""

    def later(days: float, **fields: Any) -> dict[str, Any]:
        at = NOW + timedelta(days=3650 + days)  # moto dates objects by its own clock
        monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: at))
        event = {"bucket": bucket, "manifest_key": KEY, "time": at.isoformat(), **fields}
        body: dict[str, Any] = handler(event, LambdaContext(aws_request_id=f"{days} {fields}"))["body"]
        return body

    return later


def stands(s3: S3Client, bucket: str) -> list[str]:
    """Return the keys of the lines that stand there."""
    return [json.loads(line)["key"] for line in s3.get_object(Bucket=bucket, Key=KEY)["Body"].read().splitlines()]


def test_a_later_run_replaces_what_stands_there_and_a_worse_one_does_not_while_its_links_live(
    run: Callable[..., dict[str, Any]], s3: S3Client, bucket: str
) -> None:
    """Dates in the prefix are the same job on each day; another job, and somebody's object, are left alone."""
    fill(s3, bucket, [f"{day}/{name}.pdf" for day in ("2036/03/29", "2036/03/30") for name in "ab"])
    job = {"prefix": "{yyyy}/{mm}/{dd}/", "expiry_seconds": "7d"}
    assert "manifest_key_kept" not in str(run(0, **job))
    assert stands(s3, bucket) == ["2036/03/29/a.pdf", "2036/03/29/b.pdf"]
    run(1, **job)
    assert stands(s3, bucket) == ["2036/03/30/a.pdf", "2036/03/30/b.pdf"]
    assert "manifest_key_kept" in run(0.5, **job)["warning"], "a run that began before comes too late"
    assert "empty_manifest" in run(2, **job)["warning"]
    assert "another job" in run(2, prefix="2036/03/29/")["warning"]
    assert stands(s3, bucket) == ["2036/03/30/a.pdf", "2036/03/30/b.pdf"]
    run(9, **job)
    assert stands(s3, bucket) == [], "links that are dead are no better than none"
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"somebody's")
    assert "not a job's manifest" in run(10, **job)["warning"]
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"somebody's"


def test_a_refresh_signs_the_same_keys_again_and_the_job_itself_still_goes_before(
    run: Callable[..., dict[str, Any]], s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deployment's choices and chains do not count for it: its keys are those of the manifest."""
    fill(s3, bucket, ["a.pdf", "b.txt"])
    run(0, suffix="")
    first = s3.head_object(Bucket=bucket, Key=KEY)
    monkeypatch.setenv("MIN_SIZE", "1")
    monkeypatch.setenv("CHAINS", "2")
    body = run(1, refresh=f"s3://{bucket}/{KEY}")
    assert "warning" not in body
    head = s3.head_object(Bucket=bucket, Key=KEY)
    assert head["Metadata"]["job-id"] == body["job_id"] != first["Metadata"]["job-id"]
    assert [head["Metadata"][name] for name in ("stable-job", "started")] == [
        first["Metadata"][name] for name in ("stable-job", "started")
    ]
    assert stands(s3, bucket) == ["a.pdf", "b.txt"]
    monkeypatch.delenv("MIN_SIZE")
    monkeypatch.delenv("CHAINS")
    assert "warning" not in run(0.9, suffix=""), "its listing is newer than that of the keys"


def test_a_refusal_of_s3_at_the_stable_key_is_a_warning_of_a_job_that_is_complete(
    run: Callable[..., dict[str, Any]], s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's own manifest is there."""

    async def refuse(*_: object) -> None:
        raise SourceRefusedError("cannot write it: S3 answered AccessDenied")

    monkeypatch.setattr(StableObject, "replace", refuse)
    body = run(0)
    assert (body["status"], "AccessDenied" in body["warning"]) == ("complete", True)
    assert s3.head_object(Bucket=bucket, Key=body["manifest_key"])["Metadata"]["job-id"] == body["job_id"]


class Killed(BaseException):
    """The runtime is gone: nothing of the function runs any more."""


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_run_that_is_killed_beside_its_copy_is_taken_over_and_the_copy_stands(
    at: str,
    handler: Handler,
    s3: S3Client,
    bucket: str,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its manifest is there, its record does not say complete: whoever takes over makes the copy, once."""
    monkeypatch.setenv("JOBS_TABLE", table.name)
    fill(s3, bucket, ["a.pdf", "b.pdf"])
    event, context = {"bucket": bucket, "manifest_key": KEY}, LambdaContext(aws_request_id="killed")
    replace, now, kills = StableObject.replace, datetime.now(UTC), iter([True])

    async def killed(*given: Any) -> str | None:
        if at == "before" and next(kills, False):
            raise Killed
        kept = await replace(*given)
        if next(kills, False):
            raise Killed
        return kept

    monkeypatch.setattr(StableObject, "replace", killed)
    monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: now))
    with pytest.raises(Killed):
        handler(event, context)
    own = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="manifests/")["Contents"]]
    assert any(key != KEY and key.endswith(".jsonl") for key in own), "the run's own manifest is there"
    monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: now + 2 * LEASE))
    body = handler(event, context)["body"]
    assert (body["status"], body["count"], body.get("warning")) == ("complete", 2, None)
    assert stands(s3, bucket) == ["a.pdf", "b.pdf"]
    assert s3.head_object(Bucket=bucket, Key=KEY)["Metadata"]["job-id"] == body["job_id"]


def test_a_long_manifest_is_copied_and_a_race_is_decided_by_what_stands_there(
    s3: S3Client, bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run writes between the look and the copy: the condition fails, and the look is taken again."""
    monkeypatch.setattr(stable_object, "_READ", 10)
    monkeypatch.setattr(stable_object, "_COPIED", 6 << 20)
    event = {"bucket": bucket, "manifest_key": KEY}
    settings = DeploymentSettings.from_environment({}, {})
    job = Job.from_event(event, config={}, environment={}, deployment=settings, now=NOW)
    body = bytes(range(256)) * (7 << 12)
    s3.put_object(Bucket=bucket, Key=job.manifest_key_of("later"), Body=body)
    s3.put_object(Bucket=bucket, Key=job.manifest_key_of("earlier"), Body=body[:20])
    editions = {
        name: Edition(job_id=name, started=NOW + timedelta(days=days), about={}, size=size, worse=None)
        for name, days, size in (("later", 1, len(body)), ("earlier", 0, 20))
    }

    async def raced() -> list[str | None]:
        async with open_s3(aws, 2) as (client, _):
            stable, told = StableObject(client, job), list[str | None]()

            async def another(**_: object) -> None:
                client.meta.events.unregister(before, unique_id="race")
                told.append(await StableObject(client, job).replace(editions["later"], NOW))

            before, handler = "before-call.s3.UploadPartCopy", another  # aiobotocore awaits it
            client.meta.events.register(before, handler, unique_id="race")  # type: ignore[arg-type]
            return [await stable.replace(editions["earlier"], NOW), *told]

    kept, other = asyncio.run(raced())
    assert (kept, other) == ("the manifest there is from a later run", None)
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == body
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("key", ["latest.jsonl", "manifests/", "manifests/.checkpoints/x"])
def test_a_stable_key_that_the_role_could_not_write_or_that_a_run_needs_is_refused(key: str) -> None:
    """It lies under the manifest's prefix, beside what a run keeps there."""
    settings = DeploymentSettings.from_environment({}, {})
    event = {"bucket": "reports", "manifest_key": key}
    with pytest.raises(InvalidEventError, match="must be under manifest_prefix"):
        Job.from_event(event, config={}, environment={}, deployment=settings, now=NOW)
