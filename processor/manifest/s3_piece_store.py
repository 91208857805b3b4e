"""Pieces as objects in S3, under a run's checkpoints."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import PieceLostError, RetryableError
from processor.job import GZIP, Piece
from processor.manifest.bodies import Bodies
from processor.manifest.part_plan import MIN_PART
from processor.manifest.patience import Patience
from processor.manifest.requests import answered, blocks_of, head_of, stated
from processor.together import together

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job
    from processor.manifest.piece_store import Body

PIECES = "pieces/"
READERS_HELD = 16  # readers, at least, for whose parts there is room
MOST_SENT = 8  # parts under way, at most: 40 MiB
SPARE = 2  # buffers in memory that are kept for the next parts of a plain manifest, at most
KEPT = 64  # buffers of finished ranges on the disk, at most


class S3PieceStore:
    """
    Pieces as objects under a run's checkpoints.

    :param job:    Says where the checkpoints lie, and how many parts may be under way.
    :param job_id: The run.
    :param holder: The claim that writes.
    :param patience: How long its writes, and those of the commit, wait for S3.
    """

    part = MIN_PART

    def __init__(self, client: S3Client, job: Job, job_id: str, holder: str, patience: Patience | None = None) -> None:
        self.client, self.bucket, self.patience = client, job.manifest_bucket, patience or Patience()
        self.sending = asyncio.Semaphore(min(job.concurrency, MOST_SENT))
        self._prefix, self._named = f"{job.checkpoint_prefix(job_id)}{PIECES}{holder}-", 0
        self._is_gzip = job.compression == GZIP
        self.bodies = _bodies(job, self.part)
        self._readers = max(job.concurrency, READERS_HELD)

    @property
    def most_held(self) -> int:
        """
        Bytes of all ranges that may wait for a part to be full, at most.

        Readers that begin together fill their parts together, and would hold a part each. A third of that takes no
        longer: some pieces end sooner. Of plain lines a part is full after four pages, so that these wait for it.
        """
        return self._readers * self.part // (3 if self._is_gzip else 1)

    async def put(self, body: Body) -> asyncio.Task[Piece]:
        """
        Begin to store a short piece; what is under way holds the caller back.

        The task raises a ``PresignSiblingsError`` when it could not be stored.
        """
        await self.sending.acquire()
        return asyncio.create_task(self._put(self._name(), body))

    async def _put(self, key: str, body: Body) -> Piece:
        size = body.tell()
        try:
            await self.written(self.client.put_object, Bucket=self.bucket, Key=key, Body=body)
        finally:
            self.sending.release()
        self.bodies.reuse(body)
        return Piece(key, size)

    async def written(self, operation: Callable[..., Awaitable[Any]], **request: Any) -> Any:  # noqa: ANN401 - boto's
        """Make a request that writes a piece, as often as the patience lasts; return its answer."""

        async def once() -> Any:  # noqa: ANN401 - as above
            if "Body" in request:
                request["Body"].seek(0)
            return await answered(operation(**request), f"write s3://{request['Bucket']}/{request['Key']}")

        return await self.patience.keep(once)

    def open(self) -> S3OpenPiece:
        """Begin a longer piece."""
        return S3OpenPiece(self, self._name())

    async def read(self, piece: Piece, start: int, end: int) -> bytes:
        """
        Read some of a piece's bytes.

        :raises PieceLostError: It is gone.
        """
        return b"".join([block async for block in self.blocks(piece, start, end)])

    def blocks(self, piece: Piece, start: int, end: int) -> AsyncGenerator[bytes]:
        """
        Read some of a piece's bytes, block by block.

        :raises PieceLostError: It is gone.
        """
        place: dict[str, Any] = {"Bucket": self.bucket, "Key": piece.key}
        if end - start < piece.size:
            place["Range"] = f"bytes={start}-{end - 1}"
        return blocks_of(self.client.get_object(**place), end - start, f"read s3://{self.bucket}/{piece.key}")

    async def discard(self, keys: Iterable[str]) -> None:
        """Delete pieces; one that cannot be deleted is left to the bucket's lifecycle rule."""
        deleting = asyncio.Semaphore(MOST_SENT)

        async def delete(key: str) -> None:
            async with deleting:
                with suppress(ClientError, BotoCoreError):
                    await self.client.delete_object(Bucket=self.bucket, Key=key)

        await together(map(delete, keys))

    def _name(self) -> str:
        self._named += 1
        return f"{self._prefix}{self._named:06d}"


def _bodies(job: Job, part: int) -> Bodies:
    """
    Return the buffers for the parts of a job.

    Each of many readers has a part that fills, which takes the disk's room, and not memory's. One reader's stays in
    memory, where it is written faster; compressed, a fresh buffer takes memory only as it fills.
    """
    if job.concurrency > 1:
        return Bodies(part, files=job.concurrency + MOST_SENT + KEPT)
    return Bodies(part, spare=0 if job.compression == GZIP else SPARE)


class S3OpenPiece:
    """
    A piece longer than a part: a multipart upload of its own.

    :param store: Says where the piece is stored, and how many parts may be under way.
    """

    def __init__(self, store: S3PieceStore, key: str) -> None:
        self._store, self.size = store, 0
        self._place: Any = {"Bucket": store.bucket, "Key": key}
        self._doing = f"write s3://{store.bucket}/{key}"
        self._upload_id: str | None = None
        self._sending: list[asyncio.Task[str]] = []

    async def add(self, body: Body) -> None:
        """
        Take a part; those under way hold the caller back.

        :raises PresignSiblingsError: An earlier part could not be stored.
        """
        for task in self._sending:
            if task.done():
                task.result()
        if self._upload_id is None:
            answer = await self._store.written(self._store.client.create_multipart_upload, **self._place)
            self._upload_id = stated(answer, "UploadId", self._doing)
        self.size += body.tell()
        await self._store.sending.acquire()
        self._sending.append(asyncio.create_task(self._send(len(self._sending) + 1, body)))

    async def close(self) -> Piece:
        """
        Return the piece once all of it is stored.

        :raises PresignSiblingsError: It could not be stored.
        """
        etags = await asyncio.gather(*self._sending)
        parts: Any = {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]}
        upload: Any = {"UploadId": self._upload_id, "MultipartUpload": parts, "MpuObjectSize": self.size}
        try:
            await self._store.written(self._store.client.complete_multipart_upload, **self._place, **upload)
        except (PieceLostError, RetryableError):
            # An earlier try may have lost its answer: no other holder writes under this name.
            head = await head_of(self._store.client, self._place, self._doing)
            if head is None or head["ContentLength"] != self.size:
                raise
        return Piece(self._place["Key"], self.size)

    async def abort(self) -> None:
        """Stop the parts under way, and abort the upload; where that is refused, the bucket's lifecycle rule does."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._upload_id is not None:
            with suppress(ClientError, BotoCoreError):
                await self._store.client.abort_multipart_upload(**self._place, UploadId=self._upload_id)

    async def _send(self, number: int, body: Body) -> str:
        part: Any = {"UploadId": self._upload_id, "PartNumber": number, "Body": body}
        try:
            answer = await self._store.written(self._store.client.upload_part, **self._place, **part)
            etag = stated(answer, "ETag", self._doing)
        finally:
            self._store.sending.release()
        self._store.bodies.reuse(body)
        return etag
