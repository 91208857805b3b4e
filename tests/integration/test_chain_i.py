"""Whole jobs through the handler, against a real HTTP server."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from processor import app
from processor.errors import CheckpointLostError, ManifestTakenError, SourceRefusedError
from tests.buckets import fill, manifest_of
from tests.fakes import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from tests.fakes import Siblings

    Handler = Callable[..., dict[str, Any]]

AWKWARD = [
    "2026/a b.pdf",
    "2026/a+b.pdf",
    "2026/100%.pdf",
    "2026/%2F.pdf",
    "2026/é/ü.pdf",
    "2026/\U0001f4c4.pdf",
    "2026/'quote\".pdf",
    "2026/<&>.pdf",
    "2026/#?=;.pdf",
    "2026/~(x).PDF",
]


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_chain_gives_the_manifest_of_a_single_run(
    handler: Handler, s3: S3Client, bucket: str, siblings: Siblings, compression: str, seed: int
) -> None:
    """Each hop is a new Processor that has its payload alone, and ends at a random page."""
    rng = random.Random(seed)
    keys = fill(s3, bucket, AWKWARD + [f"2026/{rng.getrandbits(32):08x}.pdf" for _ in range(60)])
    s3.put_object(Bucket=bucket, Key="2026/notes.txt", Body=b"no")
    job = {"bucket": bucket, "prefix": "2026/", "page_size": 7, "compression": compression}
    single = handler(job)["body"]
    answer = handler(job, LambdaContext(aws_request_id="chain", ticks=[900] * rng.randint(0, 3) + [0]))
    while answer["statusCode"] == 202:
        app.global_vars.processor = None
        context = LambdaContext(aws_request_id=f"hop-{rng.random()}", ticks=[900] * rng.randint(0, 3) + [0])
        answer = handler(siblings.payloads[-1], context)
    body = answer["body"]
    assert body["hops"] >= 3
    assert body["job_id"] != single["job_id"]
    assert manifest_of(s3, bucket, body) == manifest_of(s3, bucket, single)
    assert [line["key"] for line in manifest_of(s3, bucket, body)] == keys
    assert body["count"] == single["count"] == len(keys)


def test_a_chain_assembles_one_object_by_a_multipart_upload(
    handler: Handler, s3: S3Client, bucket: str, siblings: Siblings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces of several hops become one object; neither an upload nor a piece remains."""
    keys = fill(s3, bucket, [f"{n:03}.pdf" for n in range(220)])
    # A long token makes long lines: 220 of them are several parts.
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t" * 60_000)
    job = {"bucket": bucket, "page_size": 10, "concurrency": 1}
    answer = handler(job, LambdaContext(ticks=[900] * 11 + [0]))
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    place = f"manifests/.checkpoints/{answer['body']['job_id']}/pieces/"
    assert s3.list_objects_v2(Bucket=bucket, Prefix=place)["KeyCount"] == 1
    answer = handler(siblings.payloads[-1], LambdaContext(ticks=[900, 0]))
    answer = handler(siblings.payloads[-1])
    assert [line["key"] for line in manifest_of(s3, bucket, answer["body"])] == keys
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert s3.list_objects_v2(Bucket=bucket, Prefix=place)["KeyCount"] == 0
    head = s3.head_object(Bucket=bucket, Key=answer["body"]["manifest_key"])
    assert "-" in head["ETag"]
    assert (head["Metadata"]["job-id"], head["Metadata"]["count"]) == (answer["body"]["job_id"], "220")
    assert head["ContentType"] == "application/x-ndjson"


def test_an_empty_result_is_an_empty_manifest(handler: Handler, s3: S3Client, bucket: str) -> None:
    """It is not an error."""
    fill(s3, bucket, ["a.txt"])
    body = handler({"bucket": bucket, "prefix": "nothing/"})["body"]
    assert (body["status"], body["count"]) == ("complete", 0)
    assert s3.get_object(Bucket=bucket, Key=body["manifest_key"])["Body"].read() == b""


def test_a_missing_bucket_raises_by_name(handler: Handler, aws: str) -> None:
    """The operator reads the message in the on-failure queue."""
    assert aws
    with pytest.raises(SourceRefusedError, match="cannot list s3://autotest-none/p/: http://.* answered NoSuchBucket"):
        handler({"bucket": "autotest-none", "prefix": "p/"})


def test_a_job_with_a_cursor_starts_there(handler: Handler, s3: S3Client, bucket: str) -> None:
    """The continuation token may come from any other listing of the same prefix."""
    keys = fill(s3, bucket, [f"{n}.pdf" for n in range(9)])
    token = s3.list_objects_v2(Bucket=bucket, MaxKeys=4)["NextContinuationToken"]
    body = handler({"bucket": bucket, "cursor": token, "page_size": 2})["body"]
    assert [line["key"] for line in manifest_of(s3, bucket, body)] == keys[4:]


def test_an_event_cannot_get_urls_of_manifests(handler: Handler, s3: S3Client, bucket: str) -> None:
    """Neither of its own manifests, nor of the deployment's under another manifest prefix."""
    fill(s3, bucket, ["manifests/x.pdf", "mine/y.pdf", "ok.pdf"])
    first = handler({"bucket": bucket, "suffix": ""})["body"]
    assert [line["key"] for line in manifest_of(s3, bucket, first)] == ["mine/y.pdf", "ok.pdf"]
    for event in ({"prefix": "manifests/"}, {"prefix": "manifests/", "manifest_prefix": "mine/"}):
        body = handler({"bucket": bucket, "suffix": "", **event})["body"]
        assert (body["status"], "prefix" in body["message"], "manifests" in body["message"]) == ("invalid", True, True)


def test_a_missing_checkpoint_raises_by_name(handler: Handler, s3: S3Client, bucket: str, siblings: Siblings) -> None:
    """A lifecycle rule deleted it, or the payload is forged."""
    fill(s3, bucket, [f"{n}.pdf" for n in range(9)])
    handler({"bucket": bucket, "page_size": 4}, LambdaContext(remaining_seconds=0))
    payload = siblings.payloads[0]
    s3.delete_object(Bucket=bucket, Key=payload["manifest"]["checkpoint"])
    with pytest.raises(CheckpointLostError, match="is gone"):
        handler(payload)


def test_a_manifest_never_replaces_an_object(handler: Handler, s3: S3Client, bucket: str) -> None:
    """Not even one that another writer put at the very same key."""
    fill(s3, bucket, ["a.pdf"])
    key = handler({"bucket": bucket})["body"]["manifest_key"]
    s3.put_object(Bucket=bucket, Key=key, Body=b"theirs")
    with pytest.raises(ManifestTakenError):
        handler({"bucket": bucket})
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"theirs"
