"""The regions of a run's buckets, and the accounts that own them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from presign_siblings.errors import WrongUseError
from presign_siblings.laptop.reach import deployment, endpoint_of
from presign_siblings.manifests.location import S3Place
from processor.errors import InvalidEventError

S3 = "https://s3.us-east-1.amazonaws.com"
READERS = "arn:aws:s3:eu-west-1:123456789012:accesspoint/readers"


def client(region: str, url: str = S3) -> Any:
    """Return a client of us-east-1, whose bucket lies in a region."""
    answer = {"ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": region}}}
    meta = SimpleNamespace(endpoint_url=url, region_name="us-east-1")
    return SimpleNamespace(meta=meta, head_bucket=lambda **_: answer)


@pytest.mark.parametrize("url", [S3, "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com"])
def test_a_bucket_of_another_region_is_refused_with_that_region(url: str) -> None:
    """S3 would refuse the links."""
    with pytest.raises(WrongUseError, match="add --region eu-west-1"):
        endpoint_of(client("eu-west-1", url), "reports")
    assert endpoint_of(client("us-east-1", url), "reports") is None


def test_an_access_point_is_signed_for_the_region_in_its_arn() -> None:
    """Whatever the client's region."""
    assert endpoint_of(client("eu-west-1"), READERS) is None
    with pytest.raises(WrongUseError, match="add --region us-west-2"):
        endpoint_of(client("us-west-2"), READERS)


@pytest.mark.parametrize(
    ("bucket", "rule"),
    [
        ("arn:aws:s3::123456789012:accesspoint:mfzwi23gnjvgw.mrap", "an access point in a region"),
        ("arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint", "an access point in a region"),
        ("data--use1-az4--x-s3", "must not be a directory bucket"),
        ("My_Bucket", "must be an S3 bucket name"),
    ],
)
def test_a_bucket_that_no_job_can_list_is_refused_before_any_request(bucket: str, rule: str) -> None:
    """The SDK named its own pattern of names, or asked for a library for such a bucket."""
    with pytest.raises(InvalidEventError, match=rule):
        endpoint_of(client("us-east-1"), bucket)


def test_each_bucket_of_a_run_has_the_owner_in_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the function: a run lists another account's PDFs, and writes to its own bucket."""
    monkeypatch.setenv("EXPECTED_BUCKET_OWNER", "111111111111")
    monkeypatch.setenv("MANIFEST_BUCKET_OWNER", "222222222222")
    settings = deployment(None, S3Place("ours", "links/"))
    assert (settings.bucket_owner, settings.manifest_bucket_owner) == ("111111111111", "222222222222")
    assert (settings.manifest_bucket, settings.manifest_prefix) == ("ours", "links/")
