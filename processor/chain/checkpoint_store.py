"""The checkpoint objects in S3: each hop writes a new one, and it counts once a payload names it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiohttp import ClientPayloadError
from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import CheckpointLostError, error_code, from_client_error
from processor.job import Checkpoint, OtherFormatError
from processor.manifest import PIECES

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

    from processor.job import SiblingPayload


class CheckpointStore:
    """
    Saves and loads one run's checkpoints.

    :param client: S3 client.
    :param run:    The run; its job says where checkpoints lie.
    """

    def __init__(self, client: S3Client, run: SiblingPayload) -> None:
        self._client, self._run = client, run

    async def save(self, checkpoint: Checkpoint) -> str:
        """
        Write a new object, never over an older one: a retried hop may still be read by a sibling of its first try.

        :return: The object's key.
        """
        key = f"{self._run.job.checkpoint_prefix(self._run.job_id)}{checkpoint.hop:06d}-{uuid4().hex}"
        try:
            await self._client.put_object(Bucket=self._run.job.manifest_bucket, Key=key, Body=checkpoint.to_bytes())
        except (ClientError, BotoCoreError) as error:
            raise from_client_error(error, f"save the checkpoint of job {self._run.job_id}") from error
        return key

    async def load(self) -> Checkpoint:
        """
        Read the checkpoint that the run continues from; a first hop begins a new one.

        :raises CheckpointLostError: It is gone, or another job's.
        """
        if self._run.checkpoint_key is None:
            return self._run.begin()
        try:
            stored = await self._client.get_object(Bucket=self._run.job.manifest_bucket, Key=self._run.checkpoint_key)
            body = await stored["Body"].read()
        except ClientError as error:
            if error_code(error) in {"NoSuchKey", "404"} or (
                error_code(error) == "AccessDenied" and await self._may_read()
            ):
                raise CheckpointLostError(f"the checkpoint of job {self._run.job_id} is gone") from error
            raise from_client_error(error, f"read the checkpoint of job {self._run.job_id}") from error
        except (BotoCoreError, ClientPayloadError) as error:  # aiobotocore lets a body that breaks off through
            raise from_client_error(error, f"read the checkpoint of job {self._run.job_id}") from error
        return await self.decoded(body)

    async def _may_read(self) -> bool:
        """
        Return whether objects that are written here can be read, by writing and reading a small one.

        S3's answer to a role that may not list, as the stack's, is the same for what is denied and for what is gone.
        """
        prefix = self._run.job.checkpoint_prefix(self._run.job_id)
        place: Any = {"Bucket": self._run.job.manifest_bucket, "Key": f"{prefix}{PIECES}{uuid4().hex}"}
        try:
            await self._client.put_object(**place, Body=b"")
            await (await self._client.get_object(**place))["Body"].read()
        except (ClientError, BotoCoreError, ClientPayloadError):
            return False
        finally:
            with suppress(ClientError, BotoCoreError):
                await self._client.delete_object(**place)
        return True

    async def decoded(self, body: bytes) -> Checkpoint:
        """
        Read a checkpoint; one that another version wrote lets the run begin again, in the same hop.

        The first version carried an upload at the manifest's own key along; its parts cannot become pieces.

        :raises CheckpointLostError: It is damaged, or another job's; or another version wrote how the job was divided,
            and chains have records of these ranges.
        """
        try:
            return self._run.accept(Checkpoint.from_bytes(body))
        except OtherFormatError as other:
            if other.upload_id is not None:
                await self._forget(other.upload_id)
            if self._run.job.chains > 1 and self._run.share is None:
                raise CheckpointLostError(f"the ranges of job {self._run.job_id} are unknown: {other}") from other
            return self._run.begin()
        except ValueError as error:
            raise CheckpointLostError(f"the checkpoint of job {self._run.job_id} cannot be read: {error}") from error

    async def _forget(self, upload_id: str) -> None:
        """Abort an upload of the first version; where that is refused, the bucket's lifecycle rule does."""
        job = self._run.job
        with suppress(ClientError, BotoCoreError):
            await self._client.abort_multipart_upload(
                Bucket=job.manifest_bucket, Key=job.manifest_key_of(self._run.job_id), UploadId=upload_id
            )
