"""
The object at the manifest's own key: it appears once, whole, and never over another.

The holder that writes the bytes fixes the metadata before the object appears: nothing is written to it afterwards, and
no other holder describes it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from isal import isal_zlib

from processor.errors import ManifestDamagedError, ManifestTakenError, RetryableError, error_code, from_client_error
from processor.job import GZIP, Part
from processor.manifest.requests import PartsRefusedError, UploadGoneError, answered, head_of, stated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job
    from processor.manifest.piece_store import Body

JOB_ID, SIZE = "job-id", "size"
_RIGHTS = ", which needs s3:GetObject, and kms:Decrypt where a KMS key encrypts"
_TAKEN, _UPLOAD_GONE = "PreconditionFailed", frozenset({"NoSuchUpload", "404"})
_REFUSED_PARTS = frozenset({"BadDigest", "EntityTooSmall", "InvalidPart", "InvalidPartOrder", "InvalidRequest"})


class ManifestObject:
    """
    One run's manifest.

    :param client: S3 client.
    :param job:    Says where the manifest lies and how it is encoded.
    :param job_id: The run; the object's metadata names it.
    """

    def __init__(self, client: S3Client, job: Job, job_id: str) -> None:
        self._client, self._job_id = client, job_id
        self.place: Any = {"Bucket": job.manifest_bucket, "Key": job.manifest_key_of(job_id)}
        self._where = f"s3://{self.place['Bucket']}/{self.place['Key']}"
        self.doing = f"write {self._where}"
        self._kind = kind_of(job)

    async def found(self, *, is_there: bool = False) -> dict[str, str] | None:
        """
        Return the metadata of this run's manifest, or ``None`` while there is no manifest.

        :param is_there: S3 has just said that an object is there.
        :raises ManifestDamagedError: It is not as long as its metadata says.
        :raises PresignSiblingsError: S3 does not say whether it is there.
        """
        head = await self._head(is_there=is_there)
        if head is None or head["Metadata"].get(JOB_ID) != self._job_id:
            return None
        metadata: dict[str, str] = head["Metadata"]
        self._check_size(head, int(metadata.get(SIZE, head["ContentLength"])))
        return metadata

    async def put(self, body: Body, checksum: int, about: Mapping[str, str]) -> Mapping[str, str]:
        """
        Store a short manifest at once.

        :param checksum: CRC-32 of the body.
        :param about:    The manifest's metadata.
        :return: The metadata of the manifest that is there.
        :raises ManifestTakenError: Another job's object is there.
        :raises PartsRefusedError: The bytes have another checksum.
        """
        # Compared here, because Backblaze B2 and R2 refuse the header by which S3 would compare the checksum.
        if isal_zlib.crc32(body.getbuffer()) != checksum:
            raise PartsRefusedError("with bytes that differ from those written")
        call = self._client.put_object(**self.place, **self._fields(about), Body=body, IfNoneMatch="*")
        return await self._appear(call, body.getbuffer().nbytes, about)

    async def create(self, about: Mapping[str, str]) -> str:
        """Create the multipart upload with the manifest's metadata; return the upload's id."""
        answer = await answered(self._client.create_multipart_upload(**self.place, **self._fields(about)), self.doing)
        return stated(answer, "UploadId", self.doing)

    async def complete(
        self, upload_id: str, parts: Sequence[Part], size: int, about: Mapping[str, str]
    ) -> Mapping[str, str]:
        """
        Let the manifest appear from its parts.

        :param size: Bytes of them all; S3 refuses an object that lacks one.
        :return: The metadata of the manifest that is there.
        :raises ManifestTakenError: Another job's object is there.
        :raises UploadGoneError: The upload is gone, without a manifest.
        :raises PartsRefusedError: S3 makes no object of these parts.
        """
        upload: Any = {"Parts": [{"PartNumber": part.number, "ETag": part.etag} for part in parts]}
        call = self._client.complete_multipart_upload(
            **self.place, UploadId=upload_id, MultipartUpload=upload, MpuObjectSize=size, IfNoneMatch="*"
        )
        metadata = await self._appear(call, size, about)
        if metadata is not about:
            await self.forget(upload_id)  # another holder of this run was first, with an upload of its own
        return metadata

    async def forget(self, upload_id: str) -> None:
        """Abort an upload; where that is refused, the bucket's lifecycle rule does."""
        with suppress(ClientError, BotoCoreError):
            await self._client.abort_multipart_upload(**self.place, UploadId=upload_id)

    async def _appear(self, call: Awaitable[Any], size: int, about: Mapping[str, str]) -> Mapping[str, str]:
        """Make the call that lets the manifest appear; one that was made before and lost its answer counts."""
        try:
            await call
        except BotoCoreError as error:
            raise from_client_error(error, self.doing) from error
        except ClientError as error:
            code = error_code(error)
            if code not in {_TAKEN, *_UPLOAD_GONE, *_REFUSED_PARTS}:
                raise from_client_error(error, self.doing) from error
            # The SDK's second try may get even InvalidPart, while S3 removes the upload that the first try completed.
            metadata = await self.found(is_there=code == _TAKEN)
            if metadata is not None:
                return metadata
            if code in _REFUSED_PARTS:
                raise PartsRefusedError(code) from error
            if code in _UPLOAD_GONE:
                raise UploadGoneError(f"the upload of job {self._job_id} is gone") from error
            raise ManifestTakenError(
                f"{self._where} is not the manifest of job {self._job_id}, and no object is ever replaced"
            ) from error
        head = await self._head(is_there=True)
        if head is None:
            raise RetryableError(f"cannot {self.doing}: S3 accepted it, but does not show it")
        self._check_size(head, size)
        return about

    async def _head(self, *, is_there: bool) -> dict[str, Any] | None:
        doing = f"check {self._where}{_RIGHTS if is_there else ''}"
        return await head_of(self._client, self.place, doing, is_there=is_there)

    def _check_size(self, head: Mapping[str, Any], size: int) -> None:
        if head["ContentLength"] != size:
            raise ManifestDamagedError(f"{self._where} has {head['ContentLength']} bytes instead of the {size} written")

    def _fields(self, about: Mapping[str, str]) -> dict[str, Any]:
        return {**self._kind, "Metadata": {JOB_ID: self._job_id, **about}}


def kind_of(job: Job) -> dict[str, Any]:
    """Return type and encoding of a job's manifests, as parameters of the request that writes one."""
    encoding = {"ContentEncoding": "gzip"} if job.compression == GZIP else {}
    return {"ContentType": "application/x-ndjson", **encoding}
