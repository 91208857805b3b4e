"""The page beside a manifest: made from the manifest that is there, so that both always say the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from isal import isal_zlib

from processor.job import GZIP
from processor.manifest import answered, body_of
from processor.page import Line, page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job

_READ = 8 << 20
_GZIP_WINDOW = 31
_KIND: Any = {"ContentType": "text/html; charset=utf-8", "CacheControl": "private, no-store"}


class PageObject:
    """
    One run's page.

    :param client: S3 client.
    :param job:    Says where manifest and page lie.
    """

    def __init__(self, client: S3Client, job: Job, job_id: str) -> None:
        self._client, self._bucket = client, job.manifest_bucket
        self._manifest, self._key = job.manifest_key_of(job_id), job.page_key(job_id)
        self._is_packed = job.compression == GZIP
        self._title, self._contact = job.page_title or f"{job.bucket}/{job.prefix}", job.page_contact

    async def write(self, size: int) -> None:
        """
        Write the page; writing it twice does no harm, since it is the same.

        :param size: Bytes of the manifest.
        :raises PresignSiblingsError: S3 refuses, or the manifest broke off.
        """
        lines = [line async for line in self._lines(size)]
        lines.sort(key=lambda line: line.key)  # file names depend on key order, and a list of keys may have another
        body = await asyncio.to_thread(lambda: "".join(page(iter(lines), self._title, self._contact)).encode())
        call = self._client.put_object(**self._place(self._key), **_KIND, Body=body)
        await answered(call, f"write s3://{self._bucket}/{self._key}")

    async def _lines(self, size: int) -> AsyncIterator[Line]:
        unpacked = isal_zlib.decompressobj(_GZIP_WINDOW) if self._is_packed else None
        rest = b""
        for start in range(0, size, _READ):
            end = min(start + _READ, size)
            call = self._client.get_object(**self._place(self._manifest), Range=f"bytes={start}-{end - 1}")
            data = await body_of(call, end - start, f"read s3://{self._bucket}/{self._manifest}")
            *whole, rest = (rest + (unpacked.decompress(data) if unpacked else data)).split(b"\n")
            for line in whole:
                yield Line.of(line)

    def _place(self, key: str) -> Any:  # noqa: ANN401 - the parameters of several operations
        return {"Bucket": self._bucket, "Key": key}
