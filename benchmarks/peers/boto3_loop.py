"""The usual first loop: boto3's paginator, one presigned URL at a time, one PutObject."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from benchmarks.dataset import wanted_key

if TYPE_CHECKING:
    from benchmarks.work import Work


def run(work: Work) -> int:
    """Do the work and return the number of signed keys."""
    s3 = boto3.client("s3", endpoint_url=work.endpoint, config=Config(signature_version="s3v4"))
    lines = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=work.bucket, Prefix=work.prefix):
        for found in page.get("Contents", []):
            if wanted_key(key := found["Key"]):
                params = {"Bucket": work.bucket, "Key": key}
                url = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=work.expiry_seconds)
                lines.append(json.dumps({"key": key, "url": url}) + "\n")
    s3.put_object(
        Bucket=work.bucket,
        Key="manifests/boto3.jsonl",
        Body="".join(lines).encode(),
        ContentType="application/x-ndjson",
    )
    return len(lines)
