"""``manifest_key`` on a server: the object at that key is the job's newest good manifest, and no other job's."""

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
    """Return a function that runs a job some days later."""

    def later(days: float, **fields: Any) -> dict[str, Any]:
        at = NOW + timedelta(days=3650 + days)  # moto dates objects by its own clock
        monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: at))
        event = {"bucket": bucket, "manifest_key": KEY, "time": at.isoformat(), **fields}
        body: dict[str, Any] = handler(event, LambdaContext(aws_request_id=f"{days} {fields}"))["body"]
        return body

    return later


def keys_at_the_stable_key(s3: S3Client, bucket: str) -> list[str]:
    """Return the keys of the manifest at the stable key."""
    return [json.loads(line)["key"] for line in s3.get_object(Bucket=bucket, Key=KEY)["Body"].read().splitlines()]


def test_a_later_run_replaces_the_manifest_and_a_worse_one_does_not_while_its_links_live(
    run: Callable[..., dict[str, Any]], s3: S3Client, bucket: str
) -> None:
    """A dated prefix is the same job on each day; the objects of another job or writer are left alone."""
    fill(s3, bucket, [f"{day}/{name}.pdf" for day in ("2036/03/29", "2036/03/30") for name in "ab"])
    job = {"prefix": "{yyyy}/{mm}/{dd}/", "expiry_seconds": "7d"}
    assert "manifest_key_kept" not in str(run(0, **job))
    assert keys_at_the_stable_key(s3, bucket) == ["2036/03/29/a.pdf", "2036/03/29/b.pdf"]
    run(1, **job)
    assert keys_at_the_stable_key(s3, bucket) == ["2036/03/30/a.pdf", "2036/03/30/b.pdf"]
    assert "manifest_key_kept" in run(0.5, **job)["warning"], "an earlier run replaced a later one's manifest"
    assert "empty_manifest" in run(2, **job)["warning"]
    assert "another job" in run(2, prefix="2036/03/29/")["warning"]
    assert keys_at_the_stable_key(s3, bucket) == ["2036/03/30/a.pdf", "2036/03/30/b.pdf"]
    run(9, **job)
    assert keys_at_the_stable_key(s3, bucket) == [], "a manifest of dead links was kept"
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"somebody's")
    assert "not a job's manifest" in run(10, **job)["warning"]
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"somebody's"


def test_a_refresh_signs_the_same_keys_and_a_later_run_of_the_job_replaces_it(
    run: Callable[..., dict[str, Any]], s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deployment's filters and chains do not apply to a refresh: its keys are those of the manifest."""
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
    assert keys_at_the_stable_key(s3, bucket) == ["a.pdf", "b.txt"]
    monkeypatch.delenv("MIN_SIZE")
    monkeypatch.delenv("CHAINS")
    assert "warning" not in run(0.9, suffix=""), "a newer listing did not replace the refreshed manifest"


def test_a_refusal_at_the_stable_key_is_only_a_warning(
    run: Callable[..., dict[str, Any]], s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's own manifest exists."""

    async def refuse(*_: object) -> None:
        raise SourceRefusedError("cannot write it: S3 answered AccessDenied")

    monkeypatch.setattr(StableObject, "replace", refuse)
    body = run(0)
    assert (body["status"], "AccessDenied" in body["warning"]) == ("complete", True)
    assert s3.head_object(Bucket=bucket, Key=body["manifest_key"])["Metadata"]["job-id"] == body["job_id"]


class Killed(BaseException):
    """Stands for the end of the runtime: nothing of the function runs any more."""


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_run_that_is_killed_before_or_after_its_copy_is_taken_over(
    at: str,
    handler: Handler,
    s3: S3Client,
    bucket: str,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its manifest exists, but its record is not complete: the hop that takes over makes the copy, once."""
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
    assert any(key != KEY and key.endswith(".jsonl") for key in own), "the run's own manifest is missing"
    monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: now + 2 * LEASE))
    body = handler(event, context)["body"]
    assert (body["status"], body["count"], body.get("warning")) == ("complete", 2, None)
    assert keys_at_the_stable_key(s3, bucket) == ["a.pdf", "b.pdf"]
    assert s3.head_object(Bucket=bucket, Key=KEY)["Metadata"]["job-id"] == body["job_id"]


def test_a_long_manifest_is_copied_and_the_later_run_wins_a_race(
    s3: S3Client, bucket: str, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run writes between the check and the copy: the condition fails, and the check is repeated."""
    monkeypatch.setattr(stable_object, "_READ", 10)
    monkeypatch.setattr(stable_object, "MAX_PART", 6 << 20)
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
            stable, kept_by_other = StableObject(client, job), list[str | None]()

            async def another(**_: object) -> None:
                client.meta.events.unregister(before, unique_id="race")
                kept_by_other.append(await StableObject(client, job).replace(editions["later"], NOW))

            before, handler = "before-call.s3.UploadPartCopy", another  # aiobotocore awaits it
            client.meta.events.register(before, handler, unique_id="race")  # type: ignore[arg-type]
            return [await stable.replace(editions["earlier"], NOW), *kept_by_other]

    kept, other = asyncio.run(raced())
    assert (kept, other) == ("the manifest there is from a later run", None)
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == body
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("key", ["latest.jsonl", "manifests/", "manifests/.checkpoints/x"])
def test_a_stable_key_outside_the_manifest_prefix_or_among_checkpoints_is_refused(key: str) -> None:
    """The role could not write the former, and runs need the latter."""
    settings = DeploymentSettings.from_environment({}, {})
    event = {"bucket": "reports", "manifest_key": key}
    with pytest.raises(InvalidEventError, match="must be under manifest_prefix"):
        Job.from_event(event, config={}, environment={}, deployment=settings, now=NOW)
