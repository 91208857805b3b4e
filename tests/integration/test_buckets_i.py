"""Buckets as they are in practice: versioned, encrypted, requester-pays, without ACLs, one for the manifests alone."""

from __future__ import annotations

import json
import os
import uuid
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from processor import app
from processor.errors import SourceRefusedError
from tests.buckets import fill, manifest_of
from tests.fakes import LambdaContext
from tests.scripted_s3 import FOREVER, Fault, ScriptedS3, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_s3 import S3Client

    from tests.fakes import Siblings

    Handler = Callable[..., dict[str, Any]]

KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000001"
LONG_TOKEN = "t" * 60_000  # long lines: 100 of them are more than a part


@pytest.fixture
def kms_key(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Create a key for the manifests."""
    key = str(boto3.client("kms", endpoint_url=aws).create_key()["KeyMetadata"]["Arn"])
    monkeypatch.setenv("MANIFEST_KMS_KEY", key)
    return key


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, aws_environment: None) -> Iterator[ScriptedS3]:  # noqa: ARG001
    """Serve an S3 that records the headers of each request."""
    with serving() as server:
        monkeypatch.setenv("S3_ENDPOINT_URL", server.endpoint)
        yield server


def chain(handler: Handler, siblings: Siblings, job: dict[str, Any]) -> dict[str, Any]:
    """Run a job of two hops to its end; return the answer's body."""
    first = handler(job, LambdaContext(ticks=[900] * 9 + [0]))
    assert first["statusCode"] == 202
    app.global_vars.processor = None
    last = handler(siblings.payloads[-1])
    assert last["statusCode"] == 200
    body: dict[str, Any] = last["body"]
    return body


def test_manifests_may_lie_in_a_bucket_of_another_account_than_the_pdfs(
    handler: Handler, scripted: ScriptedS3, siblings: Siblings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A requester-pays bucket of another account takes no writes; each bucket has its own expected owner."""
    monkeypatch.setenv("EXPECTED_BUCKET_OWNER", "111111111111")
    monkeypatch.setenv("MANIFEST_BUCKET_OWNER", "222222222222")
    monkeypatch.setenv("MANIFEST_BUCKET", "ours")
    scripted.keys = [f"{number:03}.pdf" for number in range(200)]
    chain(handler, siblings, {"bucket": "theirs", "page_size": 10, "concurrency": 1})
    owners = {(op, headers["x-amz-expected-bucket-owner"]) for op, headers in scripted.sent}
    assert owners > {("ListObjectsV2", "111111111111"), ("PutObject", "222222222222")}
    assert {owner for operation, owner in owners if operation != "ListObjectsV2"} == {"222222222222"}


@pytest.mark.parametrize(
    ("operation", "owner"), [("ListObjectsV2", "111111111111"), ("PutObject", "222222222222")], ids=["PDFs", "ours"]
)
def test_a_denial_names_the_expected_owner_of_the_bucket_that_refused(
    handler: Handler, scripted: ScriptedS3, monkeypatch: pytest.MonkeyPatch, operation: str, owner: str
) -> None:
    """The other bucket's account would send the operator to the wrong parameter."""
    monkeypatch.setenv("EXPECTED_BUCKET_OWNER", "111111111111")
    monkeypatch.setenv("MANIFEST_BUCKET_OWNER", "222222222222")
    monkeypatch.setenv("MANIFEST_BUCKET", "ours")
    scripted.keys = ["a.pdf"]
    scripted.inject(operation, Fault.DENIED, FOREVER)
    with pytest.raises(SourceRefusedError, match=f"another account than {owner} owns the bucket"):
        handler({"bucket": "theirs"})


@pytest.mark.parametrize("long", [False, True], ids=["one put", "multipart"])
def test_every_request_has_the_headers_that_the_deployment_demands(
    handler: Handler, scripted: ScriptedS3, siblings: Siblings, monkeypatch: pytest.MonkeyPatch, *, long: bool
) -> None:
    """Owner and payer in each, the KMS key where an object is created, and never an ACL: ownership is enforced."""
    monkeypatch.setenv("EXPECTED_BUCKET_OWNER", "123456789012")
    monkeypatch.setenv("REQUEST_PAYER", "requester")
    monkeypatch.setenv("MANIFEST_KMS_KEY", KEY)
    if long:
        monkeypatch.setenv("AWS_SESSION_TOKEN", LONG_TOKEN)
    scripted.keys = [f"{number:03}.pdf" for number in range(200)]
    body = chain(handler, siblings, {"bucket": "reports", "page_size": 10, "concurrency": 1})

    operations = {operation for operation, _ in scripted.sent}
    assert operations >= {"ListObjectsV2", "PutObject", "GetObject"}
    assert ({"CreateMultipartUpload", "UploadPart", "UploadPartCopy"} <= operations) is long
    for operation, headers in scripted.sent:
        assert headers["x-amz-expected-bucket-owner"] == "123456789012", operation
        assert headers["x-amz-request-payer"] == "requester", operation
        assert not [name for name in headers if name.startswith(("x-amz-acl", "x-amz-grant"))], operation
        signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        assert {"x-amz-expected-bucket-owner", "x-amz-request-payer"} <= set(signed), operation
        encrypted = {name: value for name, value in headers.items() if name.startswith("x-amz-server-side")}
        if operation in {"PutObject", "CreateMultipartUpload"}:
            assert encrypted == {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": KEY,
                "x-amz-server-side-encryption-bucket-key-enabled": "true",
            }
        else:
            assert not encrypted, operation
    assert not [query for _, query in scripted.queries if "x-amz-request-payer" in query], "said once, in a header"
    urls = [json.loads(line)["url"] for line in scripted.objects[body["manifest_key"]].splitlines()]
    assert len(urls) == 200
    for url in [*urls, body["manifest_url"]]:
        query = parse_qs(urlsplit(url).query)
        assert query["x-amz-request-payer"] == ["requester"]
        assert query["X-Amz-SignedHeaders"] == ["host"], "a browser sends no other header"


def test_encryption_with_s3s_own_keys_is_named_where_a_policy_demands_it(
    handler: Handler, scripted: ScriptedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy that looks at the request is not satisfied by the bucket's default."""
    monkeypatch.setenv("MANIFEST_KMS_KEY", "AES256")
    scripted.keys = ["a.pdf"]
    assert handler({"bucket": "reports"})["statusCode"] == 200
    puts = [headers for operation, headers in scripted.sent if operation == "PutObject"]
    encryption = [{name: value for name, value in put.items() if name.startswith("x-amz-server-side")} for put in puts]
    assert encryption == [{"x-amz-server-side-encryption": "AES256"}]


@pytest.mark.parametrize("long", [False, True], ids=["one put", "multipart"])
def test_each_new_object_gives_the_buckets_owner_control_where_its_policy_demands_it(
    handler: Handler, scripted: ScriptedS3, siblings: Siblings, monkeypatch: pytest.MonkeyPatch, *, long: bool
) -> None:
    """A bucket of another account refused each write. Parts have the ACL of their upload; a link has no ACL."""
    monkeypatch.setenv("MANIFEST_ACL", "bucket-owner-full-control")
    if long:
        monkeypatch.setenv("AWS_SESSION_TOKEN", LONG_TOKEN)
    scripted.keys = [f"{number:03}.pdf" for number in range(200)]
    body = chain(handler, siblings, {"bucket": "reports", "page_size": 10, "concurrency": 1})
    asked = {(operation, headers.get("x-amz-acl")) for operation, headers in scripted.sent}
    begins = {"PutObject", "CreateMultipartUpload"} if long else {"PutObject"}
    assert {each for each in asked if each[1]} == {(operation, "bucket-owner-full-control") for operation in begins}
    assert not [each for each in asked if each[0] in begins and not each[1]]
    assert "acl" not in body["manifest_url"].lower()


def test_requests_lack_the_headers_that_the_deployment_does_not_demand(
    handler: Handler, scripted: ScriptedS3, siblings: Siblings
) -> None:
    """Then the bucket's own encryption counts, and the owner pays."""
    scripted.keys = [f"{number:03}.pdf" for number in range(200)]
    body = chain(handler, siblings, {"bucket": "reports", "page_size": 10})
    for _, headers in scripted.sent:
        assert not [name for name in headers if name.startswith(("x-amz-request", "x-amz-expected", "x-amz-server"))]
    assert b"payer" not in scripted.objects[body["manifest_key"]]


@pytest.mark.parametrize(
    "settings",
    [
        {"REQUEST_PAYER": "bucketowner"},
        {"MANIFEST_KMS_KEY": "my key"},
        {"MANIFEST_KMS_KEY": "arn:aws:kms:x:1:key/2"},
        {"MANIFEST_ACL": "public-read"},
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused_by_name(
    handler: Handler, scripted: ScriptedS3, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    """No request has been made by then."""
    ((name, value),) = settings.items()
    monkeypatch.setenv(name, value)
    answer = handler({"bucket": "reports"})
    assert answer["statusCode"] == 400
    assert name in answer["body"]["message"]
    assert not scripted.sent


def test_links_of_other_credentials_also_say_that_the_requester_pays(
    handler: Handler, scripted: ScriptedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An IAM user's keys sign with a client of their own."""
    from processor.aws import SigningCredentials  # noqa: PLC0415 - the only test that needs it

    monkeypatch.setenv("REQUEST_PAYER", "requester")
    own = SigningCredentials("AKIAUSER", "secret")
    monkeypatch.setattr(app, "signing_credentials", lambda _: own)
    scripted.keys = ["a.pdf"]
    body = handler({"bucket": "reports"})["body"]
    (line,) = scripted.objects[body["manifest_key"]].splitlines()
    assert "x-amz-request-payer=requester" in json.loads(line)["url"]
    assert "AKIAUSER" in json.loads(line)["url"]
    assert "x-amz-request-payer=requester" in body["manifest_url"]


@pytest.mark.parametrize("long", [False, True], ids=["one put", "multipart"])
@pytest.mark.usefixtures("kms_key")
def test_a_versioned_bucket_for_manifests_gets_one_version_of_each_object(
    handler: Handler,
    s3: S3Client,
    bucket: str,
    siblings: Siblings,
    monkeypatch: pytest.MonkeyPatch,
    *,
    long: bool,
) -> None:
    """The objects are encrypted with a key of their own, ownership is enforced; the PDFs' bucket stays as it was."""
    place = f"autotest-{uuid.uuid4().hex}"
    s3.create_bucket(
        Bucket=place,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
        ObjectOwnership="BucketOwnerEnforced",
    )
    s3.put_bucket_versioning(Bucket=place, VersioningConfiguration={"Status": "Enabled"})
    if long:
        monkeypatch.setenv("AWS_SESSION_TOKEN", LONG_TOKEN)
    keys = fill(s3, bucket, [f"{number:03}.pdf" for number in range(200)])
    body = chain(handler, siblings, {"bucket": bucket, "manifest_bucket": place, "page_size": 10})

    assert [line["key"] for line in manifest_of(s3, place, body)] == keys
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == len(keys)
    versions = s3.list_object_versions(Bucket=place)["Versions"]
    assert len({version["Key"] for version in versions}) == len(versions), "nothing is ever replaced"
    for version in versions:
        head = s3.head_object(Bucket=place, Key=version["Key"], VersionId=version["VersionId"])
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", os.environ["MANIFEST_KMS_KEY"]), (
            version["Key"]
        )
    head = s3.head_object(Bucket=place, Key=body["manifest_key"])
    stored = s3.get_object(Bucket=place, Key=body["manifest_key"])["Body"].read()
    assert head["Metadata"] == {
        "job-id": body["job_id"],
        "count": "200",
        "errors": "0",
        "pages": str(body["pages"]),
        "expires-at": body["expires_at"],
        "size": str(len(stored)),
        "crc32": f"{zlib.crc32(stored):08x}",
    }
    assert ("-" in head["ETag"]) is long
