"""A finished manifest, a few lines at a time: read from the bucket for each request, and never stored."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from dev.aws import stack

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MAX_LIMIT = 200


def page(s3: S3Client, key: str, text: str, offset: int, limit: int) -> dict[str, Any]:
    """
    Return a few of the lines whose key holds a text.

    :param key:    Key of the manifest.
    :param text:   Compared without regard to case; ``""`` is in every key.
    :param offset: Offset of the first line, among the matching lines.
    :return:       ``total`` lines, ``matching`` ones, and ``entries`` with number, key and URL.
    """
    body = s3.get_object(Bucket=stack.BUCKET, Key=key)["Body"].read()
    entries = [json.loads(line) for line in (gzip.decompress(body) if key.endswith(".gz") else body).splitlines()]
    found = [
        {"number": number, **entry} for number, entry in enumerate(entries, 1) if text.lower() in entry["key"].lower()
    ]
    shown = found[offset : offset + min(limit, MAX_LIMIT)]
    return {"total": len(entries), "matching": len(found), "offset": offset, "size": len(body), "entries": shown}
