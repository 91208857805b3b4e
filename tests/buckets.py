"""Small objects in a bucket on a server, and the manifest of a job on them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_s3 import S3Client


def fill(s3: S3Client, bucket: str, keys: Sequence[str]) -> list[str]:
    """Put small objects; return their keys in S3's order."""
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return sorted(keys)


def manifest_of(s3: S3Client, bucket: str, body: dict[str, Any]) -> list[dict[str, str]]:
    """Return the manifest's lines."""
    stored = s3.get_object(Bucket=bucket, Key=body["manifest_key"])["Body"].read()
    text = gzip.decompress(stored) if body["manifest_key"].endswith(".gz") else stored
    return [json.loads(line) for line in text.splitlines()]
