"""Prove a manifest with a plain HTTP client, against the uploaded objects."""

from __future__ import annotations

import json
import random
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from dev.aws import stack
from presign_siblings.manifests.check import Check
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client

    from dev.chain import Chain
    from dev.sample_objects import Item

SAMPLE = 50
TIMEOUT_SECONDS = 30
# No proxy: every URL here is on the loopback interface.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str) -> tuple[int, bytes]:
    """
    Fetch a URL; its path is sent unchanged.

    :return: Status and body, after a refusal too.
    """
    try:
        with _OPENER.open(url, timeout=TIMEOUT_SECONDS) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


def manifest(body: bytes, expected: Sequence[str]) -> tuple[dict[str, str], list[Check]]:
    """
    Read a manifest.

    :param body:     The whole manifest.
    :param expected: Every key that it must hold.
    :return:         Key and URL of each line, and the checks; no URL when a line is malformed.
    """
    try:
        entries = [_entry(line) for line in body.decode("ascii").splitlines()]
    except ValueError as error:
        return {}, [Check("every line is a key and its URL", passed=False, seen=str(error))]
    keys = [key for key, _ in entries]
    in_order = sorted(expected, key=str.encode)
    missing, strange = len(set(expected) - set(keys)), len(set(keys) - set(expected))
    counted = f"{missing} missing, {strange} strange, {len(keys) - len(set(keys))} twice"
    return dict(entries), [
        Check(
            "every line is a key and its URL",
            passed=True,
            seen=f"{plural(len(keys), 'line')}, {plural(len(body), 'byte')}",
        ),
        Check("every PDF is in the manifest exactly once", sorted(keys) == sorted(expected), counted),
        Check("keys are in S3's order", keys == in_order, "UTF-8 byte order"),
    ]


def _entry(line: str) -> tuple[str, str]:
    entry = json.loads(line)
    if not isinstance(entry, dict) or list(entry) != ["key", "url"]:
        raise ValueError(f"a line with other fields: {line[:60]}")
    return entry["key"], entry["url"]


def sample(items: Sequence[Item], seed: int = 0) -> list[Item]:
    """Choose the objects to download: awkward names first, up to ``SAMPLE`` objects."""
    awkward = [item for item in items if item.is_awkward][:SAMPLE]
    others = [item for item in items if not item.is_awkward]
    return awkward + random.Random(seed).sample(others, min(SAMPLE, len(others)))  # noqa: S311 (no secret)


def downloads(urls: Mapping[str, str], items: Sequence[Item]) -> Check:
    """Download with the manifest's URLs, and compare with the uploaded bytes."""
    wrong = [item.key for item in items if item.key not in urls or get(urls[item.key]) != (HTTPStatus.OK, item.body)]
    seen = f"{len(items)} downloaded" + (f", wrong: {wrong[:3]}" if wrong else "")
    return Check("URLs give the uploaded bytes", not wrong, seen)


def tampered(urls: Mapping[str, str]) -> Iterator[Check]:
    """Change a signature, and use a signature for another key's path: both must be refused."""
    url = next(iter(urls.values()))
    signature = parse_qs(urlsplit(url).query)["X-Amz-Signature"][0]
    forged = signature[:-1] + ("1" if signature.endswith("0") else "0")
    parts = urlsplit(url)
    for name, bad in (
        ("a changed signature is refused", url.replace(f"Signature={signature}", f"Signature={forged}")),
        ("a signature for another key is refused", parts._replace(path=f"{parts.path}x").geturl()),
    ):
        status, _ = get(bad)
        yield Check(name, status == HTTPStatus.FORBIDDEN, f"HTTP {status}")


def record(tables: DynamoDBClient, table: str, job: Chain) -> Check:
    """Read the job's record in the jobs table: it must be complete, and agree with the chain's last log line."""
    item = tables.get_item(TableName=table, Key={"job_key": {"S": job.job_key}}, ConsistentRead=True).get("Item", {})
    state, result = item.get("state", {}).get("S", "missing"), json.loads(item.get("result", {}).get("S", "{}"))
    recorded = (result.get("job_id"), result.get("count"), result.get("manifest_key"))
    same = recorded == (job.job_id, job.count, job.manifest_key)
    return Check("the jobs table has the job as complete", state == "complete" and same, f"{state}, hop {_hop(item)}")


def _hop(item: Mapping[str, Any]) -> str:
    return str(item.get("hop", {}).get("N", "unknown"))


def write_outside(functions: LambdaClient, s3: S3Client, function: str) -> Check:
    """Let the function write an empty manifest, which takes one sibling, to a place where its role may not write."""
    outside = "elsewhere/"
    job = {"manifest_prefix": outside, "prefix": f"{stack.PREFIX}nothing begins like this"}
    answer = functions.invoke(FunctionName=function, Payload=json.dumps(job).encode())
    denied = "FunctionError" in answer and b"AccessDenied" in answer["Payload"].read()
    written = s3.list_objects_v2(Bucket=stack.BUCKET, Prefix=outside)["KeyCount"]
    seen = f"{'AccessDenied' if denied else 'not denied'}, {written} objects written"
    return Check("a write outside the manifest prefix is denied", denied and not written, seen)
