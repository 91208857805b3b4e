"""S3 in memory: one bucket, every call at once, whole or not at all."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from tests.fakes import refuse

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Upload:
    """A multipart upload: the last body of a part number wins, as in S3."""

    key: str
    job_id: str
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Bucket:
    """
    The bucket.

    :param keys:       What there is to list; constant.
    :param token_life: Seconds after which S3 refuses a continuation token.
    :param min_part:   Bytes that every part but the last must have.
    :param clock:      Virtual seconds.
    :param denied:     The listing is refused.
    :param appeared:   Hears of each object that is stored.
    """

    keys: list[str]
    token_life: float
    min_part: int
    clock: Callable[[], float]
    appeared: Callable[[str, bytes], None]
    denied: bool = False
    objects: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)

    def call(self, operation: str, request: dict[str, Any]) -> Any:
        """Do one request."""
        if self.denied and operation == "list_objects_v2":
            raise refuse("AccessDenied", operation, 403)
        return getattr(self, operation)(**request)

    def list_objects_v2(
        self, *, Prefix: str, MaxKeys: int, ContinuationToken: str | None = None, StartAfter: str = "", **_: Any
    ) -> dict[str, Any]:
        """List in order; a token names the second that it was given in."""
        after = StartAfter
        if ContinuationToken is not None:
            born, after = ContinuationToken.removeprefix("token:").split(":", 1)
            if self.clock() - float(born) > self.token_life:
                raise refuse("InvalidArgument", "ListObjectsV2")
        assert all(key.startswith(Prefix) for key in self.keys)
        start = bisect_right(self.keys, after)
        page = self.keys[start : start + MaxKeys]
        more = start + MaxKeys < len(self.keys)
        answer: dict[str, Any] = {"IsTruncated": more, "KeyCount": len(page), "Contents": [{"Key": k} for k in page]}
        return answer | ({"NextContinuationToken": f"token:{self.clock():.0f}:{page[-1]}"} if more else {})

    def put_object(
        self, *, Key: str, Body: bytes, IfNoneMatch: str | None = None, Metadata: dict[str, str] | None = None, **_: Any
    ) -> dict[str, Any]:
        """Store an object, conditionally when asked."""
        if IfNoneMatch == "*" and Key in self.objects:
            raise refuse("PreconditionFailed", "PutObject", 412)
        self._store(Key, Body, Metadata or {})
        return {"ETag": etag(Body)}

    def get_object(self, *, Key: str, **_: Any) -> bytes:
        """Return an object's body."""
        if Key not in self.objects:
            raise refuse("NoSuchKey", "GetObject", 404)
        return self.objects[Key]

    def head_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        """Return an object's metadata."""
        if Key not in self.objects:
            raise refuse("404", "HeadObject", 404)
        return {"Metadata": self.metadata[Key]}

    def create_multipart_upload(self, *, Key: str, Metadata: dict[str, str], **_: Any) -> dict[str, Any]:
        """Begin an upload."""
        upload_id = f"upload-{len(self.uploads) + len(self.closed) + 1}"
        self.uploads[upload_id] = Upload(Key, Metadata["job-id"])
        return {"UploadId": upload_id}

    def upload_part(self, *, UploadId: str, PartNumber: int, Body: BinaryIO, **_: Any) -> dict[str, Any]:
        """Take a part; its body comes as a file, which botocore rewinds before each try."""
        Body.seek(0)
        body = Body.read()
        self._open(UploadId, "UploadPart").parts[PartNumber] = body
        return {"ETag": etag(body)}

    def complete_multipart_upload(
        self, *, Key: str, UploadId: str, MultipartUpload: dict[str, Any], IfNoneMatch: str, **_: Any
    ) -> dict[str, Any]:
        """Let the object appear: by number and ETag, in order, each part big enough but the last."""
        upload = self._open(UploadId, "CompleteMultipartUpload")
        if IfNoneMatch == "*" and Key in self.objects:
            raise refuse("PreconditionFailed", "CompleteMultipartUpload", 412)
        listed = [(part["PartNumber"], part["ETag"]) for part in MultipartUpload["Parts"]]
        numbers = [number for number, _ in listed]
        if numbers != sorted(set(numbers)) or not numbers:
            raise refuse("InvalidPartOrder", "CompleteMultipartUpload")
        if any(number not in upload.parts or etag(upload.parts[number]) != given for number, given in listed):
            raise refuse("InvalidPart", "CompleteMultipartUpload")
        bodies = [upload.parts[number] for number in numbers]
        if any(len(body) < self.min_part for body in bodies[:-1]):
            raise refuse("EntityTooSmall", "CompleteMultipartUpload")
        self._close(UploadId, "completed")
        self._store(Key, b"".join(bodies), {"job-id": upload.job_id})
        return {"ETag": "etag"}

    def put_object_tagging(self, *, Key: str, Tagging: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Tag an object."""
        if Key not in self.objects:
            raise refuse("NoSuchKey", "PutObjectTagging", 404)
        self.tags[Key] = {tag["Key"]: tag["Value"] for tag in Tagging["TagSet"]}
        return {}

    def abort_multipart_upload(self, *, UploadId: str, **_: Any) -> dict[str, Any]:
        """Drop an upload."""
        self._open(UploadId, "AbortMultipartUpload")
        self._close(UploadId, "aborted")
        return {}

    def _open(self, upload_id: str, operation: str) -> Upload:
        if upload_id not in self.uploads:
            raise refuse("NoSuchUpload", operation, 404)
        return self.uploads[upload_id]

    def _close(self, upload_id: str, how: str) -> None:
        del self.uploads[upload_id]
        self.closed[upload_id] = how

    def _store(self, key: str, body: bytes, metadata: dict[str, str]) -> None:
        self.appeared(key, body)
        self.objects[key], self.metadata[key] = body, dict(metadata)


def etag(body: bytes) -> str:
    """Return what S3 calls a part's body."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
