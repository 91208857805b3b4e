"""A bucket of another region is told before its links are signed for the wrong one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from presign_siblings.errors import WrongUseError
from presign_siblings.laptop.reach import endpoint_of

READERS = "arn:aws:s3:eu-west-1:123456789012:accesspoint/readers"


def client(region: str) -> Any:
    """Return a client of us-east-1, whose bucket lies in a region."""
    told = {"ResponseMetadata": {"HTTPHeaders": {"x-amz-bucket-region": region}}}
    meta = SimpleNamespace(endpoint_url="https://s3.us-east-1.amazonaws.com", region_name="us-east-1")
    return SimpleNamespace(meta=meta, head_bucket=lambda **_: told)


def test_a_bucket_of_another_region_is_refused_with_its_name() -> None:
    """S3 would refuse the links."""
    with pytest.raises(WrongUseError, match="add --region eu-west-1"):
        endpoint_of(client("eu-west-1"), "reports")
    assert endpoint_of(client("us-east-1"), "reports") is None


def test_an_access_point_is_signed_for_the_region_in_its_arn() -> None:
    """Whatever the client's own is."""
    assert endpoint_of(client("eu-west-1"), READERS) is None
    with pytest.raises(WrongUseError, match="add --region us-west-2"):
        endpoint_of(client("us-west-2"), READERS)
