"""``version_ids: true`` on a server: a later overwrite does not change what a link gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from tests.buckets import fill, manifest_of
from tests.fakes import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from tests.fakes import Siblings

    Handler = Callable[..., dict[str, Any]]


def test_a_link_gives_the_listed_version(handler: Handler, s3: S3Client, bucket: str, siblings: Siblings) -> None:
    """In two hops, past old versions and delete markers; then each object is overwritten."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    keys = [f"{number:02d} é+.pdf" for number in range(9)]
    fill(s3, bucket, keys)
    for key in keys[::2]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"second")
    s3.delete_object(Bucket=bucket, Key=keys[3])
    job = {"bucket": bucket, "version_ids": True, "concurrency": 1, "page_size": 4, "filename": "{n} {name}"}
    first = handler(job, LambdaContext(ticks=[900, 0]))
    assert first["statusCode"] == 202
    lines = manifest_of(s3, bucket, handler(siblings.payloads[-1])["body"])
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"overwritten")
    given = {}
    for line in lines:
        with urlopen(line["url"]) as answer:
            given[line["key"]] = answer.read().decode()
    second = {key: "second" if number % 2 == 0 else key for number, key in enumerate(keys)}
    assert given == {key: body for key, body in second.items() if key != keys[3]}
