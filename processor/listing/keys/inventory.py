"""An S3 Inventory report: ``manifest.json`` names its files, their checksums and the columns in them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from aiohttp import ClientPayloadError
from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import SourceRefusedError, shown
from processor.job import REPORT
from processor.listing.keys.columns import columns
from processor.listing.keys.forms import CommaSeparated
from processor.listing.keys.parquet import MISSING, ParquetRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.listing.keys.object_lines import ObjectLines

MAX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Inventory:
    """
    A report.

    :param form:  How its files are read.
    :param files: Key and MD5 of each.
    """

    bucket: str
    form: CommaSeparated | ParquetRows
    files: tuple[tuple[str, str | None], ...]


async def read(source: ObjectLines, names: Sequence[str], bucket: str) -> Inventory:
    """
    Read a report's ``manifest.json``.

    :param names:  Facts that are wanted of each key.
    :param bucket: The job's bucket.
    :raises SourceRefusedError: It is no report, one of another bucket, damaged, or neither in CSV nor in Parquet.
    """
    if not source.bucket:
        raise SourceRefusedError(f"{source} names files in S3: name the report there, s3://bucket/.../{REPORT}")
    if source.size > MAX_BYTES:
        raise SourceRefusedError(f"{source} is too long for the manifest of an inventory report")
    body = await source.read(0, source.size) if source.size else b""
    await _check(source, body)
    try:
        found: dict[str, Any] = json.loads(body)
        kind, of, to = found["fileFormat"], found["sourceBucket"], found["destinationBucket"].rpartition(":")[2]
        files = tuple((str(each["key"]), each.get("MD5checksum")) for each in found["files"])
        schema = [name.strip() for name in found["fileSchema"].split(",")] if kind == "CSV" else []
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise SourceRefusedError(f"{source} is not the manifest of an inventory report") from error
    if kind not in {"CSV", "Parquet"}:
        raise SourceRefusedError(f"{source} is a report in {shown(kind)}: let S3 write CSV or Parquet")
    if of != bucket:
        raise SourceRefusedError(f"{source} is a report of bucket {shown(of)}, but the job's bucket is {bucket}")
    if kind == "Parquet":
        if find_spec("pyarrow") is None:
            raise SourceRefusedError(f"{source} is a report in Parquet, which {MISSING}")
        return Inventory(to, ParquetRows(names, bucket), files)
    form = CommaSeparated(names, columns(schema), has_head=False, is_encoded=True, bucket=bucket)
    return Inventory(to, form, files)


async def _check(source: ObjectLines, body: bytes) -> None:
    """Compare with the checksum that S3 writes beside the manifest, where it is there."""
    key = source.key.removesuffix(REPORT) + "manifest.checksum"
    try:
        answer = await source.client.get_object(Bucket=source.bucket, Key=key)
        expected = bytes(await answer["Body"].read()).decode(errors="replace").strip()
    except (ClientError, BotoCoreError, ClientPayloadError):
        return
    if expected != hashlib.md5(body, usedforsecurity=False).hexdigest():
        raise SourceRefusedError(f"{source} does not have the checksum of the manifest.checksum beside it")
