"""
Record a chain that this release has begun, for the tests of later ones: payload, ledger and checkpoint as they are.

``TO=tests/integration/begun .venv/bin/python -m pytest tests/integration/record_begun.py`` at a release writes two.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from presign_siblings.version import VERSION
from processor import app
from tests.buckets import fill
from tests.fakes import LambdaContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb.service_resource import Table
    from types_boto3_s3 import S3Client

    from tests.fakes import Siblings


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_record_a_chain_that_is_begun(
    handler: Callable[..., dict[str, Any]],
    s3: S3Client,
    siblings: Siblings,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
    compression: str,
) -> None:
    """Two hops of three are over; what is left in S3 and in the table is kept."""
    name = f"begun-by-{VERSION.replace('.', '-')}-{compression}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    keys = fill(s3, name, [f"2026/{number:03}.pdf" for number in range(12)])
    monkeypatch.setenv("JOBS_TABLE", table.name)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "testing")
    event: Any = {"bucket": name, "prefix": "2026/", "page_size": 2, "concurrency": 1, "compression": compression}
    for number in range(2):
        answer = handler(event, LambdaContext(aws_request_id=f"hop-{number}", ticks=[900, 0]))
        assert answer["statusCode"] == 202
        event, app.global_vars.processor = siblings.payloads[-1], None
    written = TypeSerializer()
    records = [{field: written.serialize(value) for field, value in item.items()} for item in table.scan()["Items"]]
    found = [each["Key"] for each in s3.list_objects_v2(Bucket=name, Prefix="manifests/")["Contents"]]
    objects = {key: base64.b64encode(s3.get_object(Bucket=name, Key=key)["Body"].read()).decode() for key in found}
    kept = {"bucket": name, "keys": keys, "payload": event, "records": records, "objects": objects}
    Path(os.environ["TO"], f"{VERSION}-{compression}.json").write_text(json.dumps(kept, indent=1) + "\n")
