"""
The object at a job's stable key: always the newest good manifest, replaced as a whole, and by no other job's.

A run's own manifest is complete before that; the object is a copy of it, made under the condition that the object is
still the one that was read. So when two runs end at once, one of them sees the other's copy, and decides again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import RetryableError, error_code, from_client_error
from processor.instant import ISO, has_passed
from processor.manifest.manifest_object import JOB_ID, kind_of
from processor.manifest.part_plan import MAX_PART
from processor.manifest.requests import answered, body_of, head_of, stated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.job import Job

STABLE, STARTED, EXPIRES = "stable-job", "started", "expires-at"  # in the object's metadata
_MOVED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload", "NoSuchKey", "404", "412"})
_TRIES = 5
_READ = 5 << 20  # up to here the bytes are read and put; a longer manifest is copied by S3


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """
    A finished manifest for the stable key.

    :param job_id:  The run that wrote it.
    :param started: When the run began, UTC.
    :param about:   The metadata of the run's own manifest.
    :param size:    Bytes.
    :param worse:   Why a manifest whose links still live is better; ``None`` where nothing is known against it.
    """

    job_id: str
    started: datetime
    about: Mapping[str, str]
    size: int
    worse: str | None


class StableObject:
    """
    A job's stable object.

    :param client: S3 client.
    :param job:    Its ``manifest_key`` names the object.
    """

    def __init__(self, client: S3Client, job: Job) -> None:
        self._client, self._job = client, job
        self._place: Any = {"Bucket": job.manifest_bucket, "Key": str(job.manifest_key)}
        self._where = f"s3://{self._place['Bucket']}/{self._place['Key']}"
        self._doing = f"write {self._where}"
        self._kind = kind_of(job)

    async def replace(self, edition: Edition, now: datetime) -> str | None:
        """
        Write an edition, unless the present object is better.

        :param now: UTC.
        :return: Why the present object stays; ``None`` once the edition is there.
        :raises PresignSiblingsError: S3 refuses otherwise.
        """
        for _ in range(_TRIES):
            head = await head_of(self._client, self._place, f"check {self._where}")
            if head is not None and head["Metadata"].get(JOB_ID) == edition.job_id:
                return None
            kept = None if head is None else self._kept(head, edition, now)
            if kept is not None:
                return kept
            try:
                await self._write(edition, head)
            except ClientError as error:
                if error_code(error) not in _MOVED:
                    raise from_client_error(error, self._doing) from error
            except BotoCoreError as error:
                raise from_client_error(error, self._doing) from error
            else:
                return None
        raise RetryableError(f"cannot {self._doing}: other writers replace it again and again")

    def _kept(self, head: Mapping[str, Any], edition: Edition, now: datetime) -> str | None:
        metadata = head["Metadata"]
        if STABLE not in metadata:
            return "the object there is not a job's manifest"
        if self._job.refreshes_stable:
            at = head.get("LastModified")  # some stores give none: then it is unknown
            if at is None or at >= edition.started.replace(microsecond=0):
                return "the manifest there was replaced while its keys were signed again"
        elif metadata[STABLE] != self._job.stable_id:
            return "the manifest there is from another job"
        elif metadata.get(STARTED, "") > edition.started.strftime(ISO):
            return "the manifest there is from a later run"
        lives = EXPIRES in metadata and not has_passed(metadata[EXPIRES], now)
        return (
            f"the links of the manifest there still work, and the new one is worse: {edition.worse}"
            if edition.worse and lives
            else None
        )

    def _metadata(self, edition: Edition, head: Mapping[str, Any] | None) -> dict[str, str]:
        """Return the metadata; with keys that are signed again, start and owner stay those of the earlier manifest."""
        earlier = {} if head is None or not self._job.refreshes_stable else head["Metadata"]
        started = earlier.get(STARTED, edition.started.strftime(ISO))
        owner = earlier.get(STABLE, self._job.stable_id)
        return {**edition.about, JOB_ID: edition.job_id, STABLE: owner, STARTED: started}

    async def _write(self, edition: Edition, head: Mapping[str, Any] | None) -> None:
        condition: Any = {"IfNoneMatch": "*"} if head is None else {"IfMatch": stated(head, "ETag", self._doing)}
        source: Any = {"Bucket": self._place["Bucket"], "Key": self._job.manifest_key_of(edition.job_id)}
        described = {**self._kind, "Metadata": self._metadata(edition, head)}
        if edition.size < _READ:
            reading = f"read s3://{source['Bucket']}/{source['Key']}"
            body = await body_of(self._client.get_object(**source), edition.size, reading)
            await self._client.put_object(**self._place, **described, **condition, Body=body)
            return
        await self._copy(source, edition.size, described, condition)

    async def _copy(self, source: Any, size: int, described: Any, condition: Any) -> None:  # noqa: ANN401 - boto's
        """Let S3 copy, in a multipart upload: its completion takes the condition, which a plain copy does not."""
        upload = await answered(self._client.create_multipart_upload(**self._place, **described), self._doing)
        part: Any = {**self._place, "UploadId": stated(upload, "UploadId", self._doing)}
        try:
            parts: list[Any] = []
            for number, start in enumerate(range(0, size, MAX_PART), 1):
                some = f"bytes={start}-{min(size, start + MAX_PART) - 1}"
                call = self._client.upload_part_copy(**part, PartNumber=number, CopySource=source, CopySourceRange=some)
                copied = (await answered(call, self._doing)).get("CopyPartResult") or {}
                parts.append({"PartNumber": number, "ETag": stated(copied, "ETag", self._doing)})
            await self._client.complete_multipart_upload(
                **part, **condition, MultipartUpload={"Parts": parts}, MpuObjectSize=size
            )
        except BaseException:
            with suppress(ClientError, BotoCoreError):
                await self._client.abort_multipart_upload(**part)
            raise
