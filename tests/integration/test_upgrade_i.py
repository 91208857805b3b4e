"""A chain that an earlier release has begun ends under this release."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeDeserializer
from moto.s3.models import s3_backends

from dev.checkout import REPOSITORY
from presign_siblings.version import VERSION
from processor.job import VERSION as JOB_VERSION
from processor.job import DeploymentSettings, Job
from processor.job.checkpoint import FORMAT as CHECKPOINT_FORMAT
from tests.buckets import fill, manifest_of
from tests.builders import of_a_newer_release
from tests.fakes import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb.service_resource import Table
    from types_boto3_s3 import S3Client

    from tests.fakes import Siblings

# Written by each release's own code: tests/integration/record_begun.py.
BEGUN = sorted((Path(__file__).parent / "begun").glob("*.json"))


@pytest.mark.parametrize("recorded", BEGUN, ids=lambda path: path.stem)
def test_an_earlier_release_knows_each_field_of_a_job_that_uses_no_new_one(recorded: Path) -> None:
    """It refuses a payload with an unknown field, so a roll-back would fail each chain under way."""
    known = json.loads(recorded.read_text())["payload"]["job"]
    settings = DeploymentSettings.from_environment({}, {})
    now = datetime(2026, 4, 1, tzinfo=UTC)
    job = Job.from_event({"bucket": "reports"}, config={}, environment={}, deployment=settings, now=now)
    assert job.to_payload().keys() <= known.keys()
    assert Job.from_payload(job.to_payload(), settings) == job


@pytest.mark.parametrize("recorded", BEGUN, ids=lambda path: path.stem)
def test_a_chain_that_an_earlier_release_has_begun_ends_under_this_one(
    handler: Callable[..., dict[str, Any]],
    s3: S3Client,
    siblings: Siblings,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Path,
) -> None:
    """From its payload, record, checkpoint and pieces: nothing is listed twice, and each key comes once, in order."""
    begun = json.loads(recorded.read_text())
    bucket, read = begun["bucket"], TypeDeserializer()
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    fill(s3, bucket, begun["keys"])
    for key, body in begun["objects"].items():
        s3.put_object(Bucket=bucket, Key=key, Body=base64.b64decode(body))
    for record in begun["records"]:
        table.put_item(Item={field: read.deserialize(value) for field, value in record.items()})
    # S3 reads tokens of its own; moto keeps them in memory.
    tokens = s3_backends["123456789012"]["aws"]._pagination_tokens
    tokens[begun["payload"]["cursor"]] = begun["payload"]["start_after"]
    monkeypatch.setenv("JOBS_TABLE", table.name)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "testing")
    body = handler(begun["payload"])["body"]
    assert (body["status"], body["count"], body["job_id"]) == ("complete", 12, begun["payload"]["job_id"])
    assert [line["key"] for line in manifest_of(s3, bucket, body)] == begun["keys"]
    assert body["hops"] == begun["payload"]["hop"] + 1, "the chain started again"
    assert not siblings.payloads


def test_a_job_continues_from_a_checkpoint_of_a_newer_release_after_a_roll_back(
    handler: Callable[..., dict[str, Any]],
    s3: S3Client,
    bucket: str,
    siblings: Siblings,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checkpoint holds counts that this release does not know: no key is lost, and it is not called damaged."""
    keys = fill(s3, bucket, [f"2026/{number:03}.pdf" for number in range(12)])
    monkeypatch.setenv("JOBS_TABLE", table.name)
    event = {"bucket": bucket, "prefix": "2026/", "page_size": 2, "concurrency": 1}
    begun = handler(event, LambdaContext(ticks=[900, 0]))["body"]
    place = {"Bucket": bucket, "Key": siblings.payloads[-1]["manifest"]["checkpoint"]}
    s3.put_object(**place, Body=of_a_newer_release(s3.get_object(**place)["Body"].read()))
    ended = handler(siblings.payloads[-1])["body"]
    assert (ended["status"], ended["count"], ended["job_id"]) == ("complete", 12, begun["job_id"])
    assert [line["key"] for line in manifest_of(s3, bucket, ended)] == keys


def test_the_upgrade_page_names_the_formats_that_this_release_reads() -> None:
    """A changed format is a changed row."""
    page = (REPOSITORY / "docs" / "guides" / "upgrade.md").read_text(encoding="utf-8")
    counted = f"{JOB_VERSION}, or without a version"
    assert f"| {VERSION} | {counted} | {counted} | {CHECKPOINT_FORMAT} |" in page


def test_the_last_release_has_recorded_its_chains() -> None:
    """With both compressions; each release records its own before it is tagged."""
    assert {path.stem for path in BEGUN} >= {"0.1.0-none", "0.1.0-gzip"}
