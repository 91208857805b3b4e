"""
The manifest's writer: open or resume, ``write``, then exactly one of ``commit``, ``suspend``, ``abort``.

A manifest that ends before its first part is one PutObject. A longer one is one multipart upload, carried through the
chain: parts upload while lines are still written, and what has not reached a part travels in the checkpoint.
Limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
"""

from __future__ import annotations

import asyncio
import base64
import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from isal import isal_zlib

from processor.errors import (
    CheckpointLostError,
    ManifestTakenError,
    PresignSiblingsError,
    RetryableError,
    cause_code,
    error_code,
    from_client_error,
)
from processor.job import GZIP, Part, Upload
from processor.manifest.compression import Encoding, Gzip, Plain

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job

MIB = 1 << 20
MIN_PART = 5 * MIB
MAX_PART = 64 * MIB
MAX_PARTS = 10_000
SMALL_PARTS = 300  # 1.5 GiB in parts of 5 MiB; then they double every 250 parts, and 10,000 hold 570 GiB
PARTS_TO_DOUBLE = 250
IN_FLIGHT = 128 * MIB  # bytes of parts under way, at most
# Measured. botocore asks for a mebibyte to hash, each fresh from the kernel, which fragments glibc's heap by 10 MB.
# aiohttp lets the event loop turn after each 256 KiB; with some milliseconds of signing a turn, parts pile up.
HASHED_BYTES, SENT_BYTES = 256 << 10, 512 << 10
JOB_ID = "job-id"


def part_size(number: int) -> int:
    """Return how many bytes a part holds at least: small at first, so that short jobs stay small in memory."""
    return min(MAX_PART, int(MIN_PART * 2 ** (max(0, number - SMALL_PARTS) / PARTS_TO_DOUBLE)))


class ManifestWriter:
    """
    Writes one run's manifest.

    :param client: S3 client.
    :param job:    Says where the manifest lies and how it is encoded.
    :param job_id: The run; stored as the object's metadata.
    :param upload: Where an earlier hop stopped.
    :param first_part: First part number to use; numbers need not be consecutive.

    ``facts`` are what the object is to say of itself, to be set before ``commit``: metadata of a single PutObject. The
    metadata of a multipart upload is fixed when it begins, so there they become tags once it has appeared.
    """

    def __init__(self, client: S3Client, job: Job, job_id: str, upload: Upload, first_part: int = 1) -> None:
        self._client, self._concurrency, self._job_id = client, job.concurrency, job_id
        self._place: dict[str, Any] = {"Bucket": job.manifest_bucket, "Key": job.manifest_key(job_id)}
        self._kind: dict[str, Any] = {"ContentType": "application/x-ndjson", "Metadata": {JOB_ID: job_id}}
        self._gzip = job.compression == GZIP
        if self._gzip:
            self._kind["ContentEncoding"] = "gzip"
        self._encoding: Encoding = Gzip(is_first=upload.size == 0) if self._gzip else Plain()
        self._upload_id, self._parts = upload.upload_id, {part.number: part.etag for part in upload.parts}
        self.next_part = max(max(self._parts, default=0) + 1, first_part)
        self._length, self._crc32, self.size = upload.length, upload.crc32, upload.size
        self._checksum, self.facts = upload.checksum, dict[str, str]()
        self._is_described = False
        # A part is built in the very object that is sent: bytes would be copied twice on their way.
        self._buffer = _filled(upload.tail)
        self._under_way: set[asyncio.Task[None]] = set()

    async def write(self, data: bytes) -> None:
        """
        Take lines; parts that are full begin to upload, and a slow upload holds the caller back.

        :raises RetryableError: A part could not be uploaded.
        """
        self._length += len(data)
        if self._gzip:
            self._crc32 = isal_zlib.crc32(data, self._crc32)
        self._store(self._encoding.encode(data))
        if self._buffer.tell() >= part_size(self.next_part):
            await self._start_part()

    async def commit(self) -> None:
        """
        Make the manifest appear, whole; it never replaces another.

        :raises ManifestTakenError: Another job's object stands there.
        :raises CheckpointLostError: The multipart upload is gone.
        """
        self._store(self._encoding.finish(self._length, self._crc32))
        if self._upload_id is None:
            await self._put()
            return
        if self._buffer.tell():
            await self._start_part()
        await self._settle(0)
        upload: Any = {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in sorted(self._parts.items())]}
        await self._appear(
            self._client.complete_multipart_upload(
                **self._place,
                UploadId=self._upload_id,
                MultipartUpload=upload,
                MpuObjectSize=self.size,  # S3 refuses an object that lacks a byte of it
                IfNoneMatch="*",
            )
        )

    async def suspend(self) -> Upload:
        """Bring all but a tail of less than 5 MiB into parts, and return what the next hop needs."""
        self._store(self._encoding.cut())
        if self._buffer.tell() >= MIN_PART:
            await self._start_part()
        await self._settle(0)
        return Upload(
            upload_id=self._upload_id,
            parts=tuple(Part(number, etag) for number, etag in sorted(self._parts.items())),
            tail=self._buffer.getvalue(),
            size=self.size,
            length=self._length,
            crc32=self._crc32,
            checksum=self._checksum,
        )

    async def describe(self) -> str | None:
        """
        Put the facts into tags, unless the object has them as metadata.

        :return: Why it has none now, or ``None``: the manifest is there, tagged or not.
        """
        if self._is_described:
            return None
        found = {JOB_ID: self._job_id, **self.facts, **self._checked()}
        tags: Any = {"TagSet": [{"Key": name, "Value": value} for name, value in found.items()]}
        try:
            await self._client.put_object_tagging(**self._place, Tagging=tags)
        except (ClientError, BotoCoreError) as error:
            return cause_code(error)
        self._is_described = True
        return None

    async def abort(self, *, forget: bool) -> None:
        """
        Stop the parts under way.

        :param forget: Abort the multipart upload too, because no checkpoint will go on with it.
        """
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if forget:
            await self._forget()

    async def _forget(self) -> None:
        """Abort the multipart upload; one that cannot be aborted is left to the bucket's lifecycle rule."""
        if self._upload_id is not None:
            with suppress(ClientError, BotoCoreError):
                await self._client.abort_multipart_upload(**self._place, UploadId=self._upload_id)

    async def is_committed(self) -> bool:
        """Tell whether this run's manifest is there; S3 answers 403 where it may not say that nothing is."""
        try:
            head = await self._client.head_object(**self._place)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error_code(error) in {"403", "404"}:
                return False
            raise self._refusal(error) from error
        self._is_described = not head["Metadata"].keys().isdisjoint(self.facts)
        return head["Metadata"].get(JOB_ID) == self._job_id

    async def _put(self) -> None:
        """Store a manifest that has no parts; S3 compares the checksum with the bytes that arrive."""
        body, metadata = self._buffer.getvalue(), {**self._kind["Metadata"], **self.facts, **self._checked()}
        kind: dict[str, Any] = {**self._kind, "Metadata": metadata}
        if self._checksum is not None:
            kind["ChecksumCRC32"] = base64.b64encode(self._checksum.to_bytes(4, "big")).decode()
        await self._appear(self._client.put_object(**self._place, **kind, Body=body, IfNoneMatch="*"))
        self._is_described = True

    def _checked(self) -> dict[str, str]:
        """Return the CRC-32 of the object's bytes, as the chain wrote them: in hexadecimal, as ``crc32`` prints it."""
        return {} if self._checksum is None else {"crc32": f"{self._checksum:08x}"}

    def _store(self, encoded: bytes) -> None:
        self._buffer.write(encoded)
        self.size += len(encoded)
        if self._checksum is not None:
            self._checksum = isal_zlib.crc32(encoded, self._checksum)

    async def _start_part(self) -> None:
        """Cut the buffer into a part, and begin its upload once there is room."""
        if self.next_part > MAX_PARTS:
            raise ManifestTakenError(f"the manifest needs more than S3's {MAX_PARTS} parts; use compression gzip")
        if self._upload_id is None:
            answer = await self._try(self._client.create_multipart_upload(**self._place, **self._kind))
            self._upload_id = answer["UploadId"]
        await self._settle(min(self._concurrency, max(1, IN_FLIGHT // self._buffer.tell())) - 1)
        body, number = self._buffer, self.next_part
        self._buffer = _Body()
        self.next_part += 1
        self._under_way.add(asyncio.create_task(self._upload_part(number, body)))

    async def _upload_part(self, number: int, body: _Body) -> None:
        body.seek(0)
        answer = await self._try(
            self._client.upload_part(**self._place, UploadId=str(self._upload_id), PartNumber=number, Body=body)
        )
        self._parts[number] = answer["ETag"]

    async def _settle(self, remaining: int) -> None:
        """Wait until at most ``remaining`` parts are under way; raise what one of them raised."""
        while len(self._under_way) > remaining:
            done, self._under_way = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
            failures = [error for error in (task.exception() for task in done) if error is not None]
            if failures:
                raise failures[0]

    async def _try(self, call: Awaitable[Any]) -> Any:  # noqa: ANN401 - each operation has its own answer
        try:
            return await call
        except (ClientError, BotoCoreError) as error:
            raise self._refusal(error) from error

    async def _appear(self, call: Awaitable[Any]) -> None:
        """Make the call that lets the manifest appear; one that was made before and lost its answer counts."""
        try:
            await call
        except (ClientError, BotoCoreError) as error:
            refusal = self._refusal(error)
            if isinstance(refusal, RetryableError) or not await self.is_committed():
                raise refusal from error
            await self._forget()  # another holder of this run was first, with an upload of its own

    def _refusal(self, error: ClientError | BotoCoreError) -> PresignSiblingsError:
        if not isinstance(error, ClientError):
            return from_client_error(error, f"write s3://{self._place['Bucket']}/{self._place['Key']}")
        if error_code(error) == "NoSuchUpload":
            return CheckpointLostError(f"the multipart upload of job {self._job_id} is gone")
        if error_code(error) == "PreconditionFailed":
            return ManifestTakenError(f"another object stands where job {self._job_id} writes its manifest")
        return from_client_error(error, f"write s3://{self._place['Bucket']}/{self._place['Key']}")


class _Body(io.BytesIO):
    """A part's bytes, read in pieces that suit who asks, whatever it asks for: botocore hashes them, aiohttp sends."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next piece, or all that is left."""
        if size is None or size < 0:
            return super().read(size)
        return super().read(HASHED_BYTES if size >= MIB else SENT_BYTES)


def _filled(data: bytes) -> _Body:
    """Return a buffer that goes on behind some bytes."""
    buffer = _Body()
    buffer.write(data)
    return buffer
