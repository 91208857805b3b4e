"""What the links of an earlier manifest do that those of the job which refreshes it will not do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from processor.hindrances import OTHER_BUCKET, UNPINNED

if TYPE_CHECKING:
    from processor.job import Job

_S3, _ACCESS_POINTS = ".s3", (".s3-accesspoint", "-s3alias.")


def lost(line: bytes, job: Job) -> dict[str, int]:
    """
    Compare a link of the earlier manifest with what the job signs.

    :param line: The first one of the manifest.
    """
    try:
        entry = json.loads(line)
        key, url = str(entry["key"]), urlsplit(str(entry["url"]))
    except (ValueError, RecursionError, KeyError, TypeError):
        return {}  # the reader of all lines reports what is wrong
    found = {
        OTHER_BUCKET: not job.is_of_access_point and _is_elsewhere(url.netloc, unquote(url.path), key, job.bucket),
        UNPINNED: "versionId" in parse_qs(url.query) and not job.version_ids,
    }
    return {reason: 1 for reason, is_so in found.items() if is_so}


def _is_elsewhere(host: str, path: str, key: str, bucket: str) -> bool:
    """Whether a link names another bucket; a link to an access point or to a host of one's own names none."""
    if not path.endswith(f"/{key}") or any(mark in host for mark in _ACCESS_POINTS):
        return False
    before = path.removesuffix(f"/{key}")
    return before.rpartition("/")[2] != bucket if before else _S3 in host and not host.startswith(f"{bucket}{_S3}")
