"""A bucket in another region is reported before a URL is signed for the wrong region."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from processor.aws import open_s3
from processor.errors import SourceRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable


@dataclass
class Answer:
    """An answer as aiobotocore's HTTP session gives it."""

    status_code: int
    headers: dict[str, str]
    body: bytes
    url: str = ""

    @property
    def content(self) -> Awaitable[bytes]:
        """Return the body each time."""

        async def read() -> bytes:
            return self.body

        return read()


def answered(answer: Answer, endpoint: str | None = None, bucket: str = "reports") -> str | None:
    """List a bucket whose store gives this answer; return the client's refusal, if any."""

    async def run() -> None:
        async with open_s3(endpoint, 1) as (client, _):

            async def send(**_: object) -> Answer:
                return answer

            sending: Any = send
            client.meta.events.register("before-send", sending)
            with suppress(ClientError):
                await client.list_objects_v2(Bucket=bucket)

    try:
        asyncio.run(run())
    except SourceRefusedError as error:
        return str(error)
    return None


ELSEWHERE = {"x-amz-bucket-region": "eu-central-1", "content-type": "application/xml"}
LISTING = (
    b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>'
)
MALFORMED = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>"


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (301, ELSEWHERE, b"<Error><Code>PermanentRedirect</Code></Error>"),
        (400, ELSEWHERE, MALFORMED),
        (400, {}, MALFORMED),
        (200, ELSEWHERE, LISTING),
    ],
)
def test_the_first_answer_from_another_region_ends_the_run(status: int, headers: dict[str, str], body: bytes) -> None:
    """Whether S3 redirects, refuses the signature, or serves the listing anyway; the region is named."""
    refusal = answered(Answer(status, headers, body))
    assert refusal is not None
    assert "the bucket reports is in eu-central-1" in refusal
    assert "--region eu-central-1" in refusal


def test_a_bucket_of_the_clients_region_is_listed() -> None:
    """The header is in every answer."""
    assert answered(Answer(200, {"x-amz-bucket-region": "eu-west-1"}, LISTING)) is None


def test_the_global_region_is_that_of_the_buckets_in_virginia(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older configurations name it."""
    monkeypatch.setenv("AWS_REGION", "aws-global")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "aws-global")
    assert answered(Answer(200, {"x-amz-bucket-region": "us-east-1"}, LISTING)) is None
    assert answered(Answer(200, ELSEWHERE, LISTING)) is not None


def test_another_store_may_have_any_region_name() -> None:
    """R2's is ``auto``, MinIO's often empty; only its refusals count."""
    assert answered(Answer(200, ELSEWHERE, LISTING), "http://127.0.0.1:9") is None
    assert answered(Answer(400, {}, MALFORMED), "http://127.0.0.1:9") is not None
    for redirects in (301, 302, 307):
        assert answered(Answer(redirects, ELSEWHERE, b""), "http://127.0.0.1:9") is not None


@pytest.mark.parametrize(("region", "is_refused"), [("eu-central-1", False), ("us-west-2", True)])
def test_an_access_point_of_another_region_is_signed_for_that_region(region: str, *, is_refused: bool) -> None:
    """Its ARN names the region, so its links do too, and work."""
    arn = f"arn:aws:s3:{region}:123456789012:accesspoint/readers"
    assert (answered(Answer(200, ELSEWHERE, LISTING), bucket=arn) is not None) is is_refused
