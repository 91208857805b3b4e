"""Files of a laptop, read by the two operations of S3 that reading an object takes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError


@dataclass(frozen=True, slots=True)
class _Body:
    data: bytes

    async def read(self) -> bytes:
        """Return the bytes."""
        return self.data


class Files:
    """Reads files by their paths; another file under a path has another ETag."""

    async def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803, ARG002 - boto3's names
        """Return size and ETag."""
        try:
            found = await asyncio.to_thread(Path(Key).stat)
        except FileNotFoundError as error:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "HeadObject") from error
        return {"ContentLength": found.st_size, "ETag": f"{found.st_mtime_ns:x}-{found.st_size:x}"}

    async def get_object(self, *, Bucket: str, Key: str, Range: str, IfMatch: str) -> dict[str, Any]:  # noqa: N803
        """Return some bytes."""
        if IfMatch.strip('"') != (await self.head_object(Bucket=Bucket, Key=Key))["ETag"]:
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "GetObject")
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        return {"Body": _Body(await asyncio.to_thread(_read, Key, first, last + 1 - first))}


def _read(path: str, first: int, size: int) -> bytes:
    with Path(path).open("rb") as file:
        file.seek(first)
        return file.read(size)
