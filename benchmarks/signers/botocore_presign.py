"""botocore's ``generate_presigned_url``, one key at a time: it has no call for batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from benchmarks.signers.timing import timed

if TYPE_CHECKING:
    from benchmarks.work import Work


def run(work: Work) -> dict[str, float]:
    """Time it."""
    s3 = boto3.client("s3", endpoint_url=work.endpoint, config=Config(signature_version="s3v4"))

    def url(key: str) -> str:
        params = {"Bucket": work.bucket, "Key": key}
        if work.names:
            name = key.rpartition("/")[2]
            params["ResponseContentDisposition"] = f'attachment; filename="report {name}"'
        return s3.generate_presigned_url("get_object", Params=params, ExpiresIn=work.expiry_seconds)

    return timed(work, lambda batches: len([url(key) for batch in batches for key in batch]))
