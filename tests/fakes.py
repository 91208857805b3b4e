"""Stand-ins in memory: a Lambda context whose clock the test drives, an S3 client, siblings that are recorded."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from botocore.hooks import HierarchicalEmitter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pytest

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:presign"
HOST = "https://reports.s3.eu-west-1.amazonaws.com/"


@dataclass
class LambdaContext:
    """Lambda's context with a clock that only the test moves."""

    remaining_seconds: float = 900.0
    aws_request_id: str = "5f2f3a0c-0000-4000-8000-000000000001"
    function_name: str = "presign"
    function_version: str = "$LATEST"
    invoked_function_arn: str = ARN
    log_stream_name: str = "2026/04/01/[$LATEST]5f2f3a0c"
    ticks: Iterable[float] = ()
    asked: int = 0

    def __post_init__(self) -> None:
        self._ticks = iter(self.ticks)

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left; each question takes the next of ``ticks`` while there are any."""
        self.asked += 1
        self.remaining_seconds = next(self._ticks, self.remaining_seconds)
        return round(self.remaining_seconds * 1000)


def refuse(code: str, operation: str = "Operation", status: int = 400) -> ClientError:
    """Return the error that an AWS client raises."""
    metadata: Any = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": code}, "ResponseMetadata": metadata}, operation)


@dataclass
class FakeS3:
    """
    An aiobotocore S3 client in memory.

    :param wire:   What crossed the wire, in order: ``(operation, detail)``.
    :param before: Awaited before an operation; a test blocks or raises there.
    :param min_part: Bytes that every part but the last must have.
    """

    keys: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    headers: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    aborted: list[str] = field(default_factory=list)
    wire: list[tuple[str, Any]] = field(default_factory=list)
    before: Callable[[str, Any], Any] | None = None
    token_refused: bool = False
    min_part: int = 5 << 20

    def __post_init__(self) -> None:
        self.meta = SimpleNamespace(events=HierarchicalEmitter())
        self._listed: tuple[str, list[str]] | None = None

    async def _cross(self, operation: str, detail: Any) -> None:
        self.wire.append((operation, detail))
        if self.before is not None:
            await self.before(operation, detail)

    async def list_objects_v2(self, **request: Any) -> dict[str, Any]:
        """List as S3 does: UTF-8 order, opaque tokens."""
        await self._cross("list", request)
        token, after = request.get("ContinuationToken"), request.get("StartAfter")
        if token is not None and (self.token_refused or not token.startswith("token:")):
            raise refuse("InvalidArgument", "ListObjectsV2")
        if self._listed is None or self._listed[0] != request["Prefix"]:
            self._listed = request["Prefix"], sorted(key for key in self.keys if key.startswith(request["Prefix"]))
        keys = self._listed[1]
        start = bisect_right(keys, token[6:] if token is not None else after or "")
        page, more = keys[start : start + request["MaxKeys"]], start + request["MaxKeys"] < len(keys)
        answer: dict[str, Any] = {"IsTruncated": more, "KeyCount": len(page), "Contents": [{"Key": k} for k in page]}
        return answer | ({"NextContinuationToken": f"token:{page[-1]}"} if more else {})

    async def put_object(self, **request: Any) -> dict[str, Any]:
        """Store an object, conditionally when asked."""
        await self._cross("put", request["Key"])
        if request.get("IfNoneMatch") == "*" and request["Key"] in self.objects:
            raise refuse("PreconditionFailed", "PutObject", 412)
        body, stated = bytes(request["Body"]), request.get("ChecksumCRC32")
        if stated is not None and base64.b64decode(stated) != zlib.crc32(body).to_bytes(4, "big"):
            raise refuse("BadDigest", "PutObject")
        self._store(request["Key"], body, request)
        return {"ETag": "etag"}

    async def get_object(self, **request: Any) -> dict[str, Any]:
        """Read an object."""
        await self._cross("get", request["Key"])
        if request["Key"] not in self.objects:
            raise refuse("NoSuchKey", "GetObject", 404)
        body = self.objects[request["Key"]]
        stream = io.BytesIO(body[_range(request["Range"])] if "Range" in request else body)

        async def read() -> bytes:
            return stream.read()

        return {"Body": SimpleNamespace(read=read)}

    async def head_object(self, **request: Any) -> dict[str, Any]:
        """Read an object's metadata."""
        await self._cross("head", request["Key"])
        if request["Key"] not in self.objects:
            raise refuse("404", "HeadObject", 404)
        return {"Metadata": self.metadata[request["Key"]], "ContentLength": len(self.objects[request["Key"]])}

    async def create_multipart_upload(self, **request: Any) -> dict[str, Any]:
        """Begin an upload."""
        await self._cross("create", request["Key"])
        upload_id = f"upload-{len(self.uploads) + 1}"
        self.uploads[upload_id] = {}
        self.headers[upload_id] = request
        return {"UploadId": upload_id}

    async def upload_part(self, **request: Any) -> dict[str, Any]:
        """Take a part; the last one of a number wins, as in S3."""
        await self._cross("part", request["PartNumber"])
        if request["UploadId"] not in self.uploads:
            raise refuse("NoSuchUpload", "UploadPart", 404)
        body = request["Body"].read()
        self.uploads[request["UploadId"]][request["PartNumber"]] = body
        await self._cross("part done", request["PartNumber"])
        return {"ETag": hashlib.md5(body, usedforsecurity=False).hexdigest()}

    async def upload_part_copy(self, **request: Any) -> dict[str, Any]:
        """Copy a part out of another object."""
        await self._cross("copy", request["PartNumber"])
        if request["UploadId"] not in self.uploads:
            raise refuse("NoSuchUpload", "UploadPartCopy", 404)
        if request["CopySource"]["Key"] not in self.objects:
            raise refuse("NoSuchKey", "UploadPartCopy", 404)
        body = self.objects[request["CopySource"]["Key"]]
        body = body[_range(request["CopySourceRange"])] if "CopySourceRange" in request else body
        self.uploads[request["UploadId"]][request["PartNumber"]] = body
        return {"CopyPartResult": {"ETag": hashlib.md5(body, usedforsecurity=False).hexdigest()}}

    async def delete_object(self, **request: Any) -> dict[str, Any]:
        """Delete an object, there or not."""
        await self._cross("delete", request["Key"])
        self.objects.pop(request["Key"], None)
        return {}

    async def complete_multipart_upload(self, **request: Any) -> dict[str, Any]:
        """Let the object appear: parts by number and ETag, 5 MiB at least but for the last."""
        await self._cross("complete", request["Key"])
        if request["UploadId"] not in self.uploads:
            raise refuse("NoSuchUpload", "CompleteMultipartUpload", 404)
        if request.get("IfNoneMatch") == "*" and request["Key"] in self.objects:
            raise refuse("PreconditionFailed", "CompleteMultipartUpload", 412)
        stored, listed = self.uploads[request["UploadId"]], request["MultipartUpload"]["Parts"]
        bodies = [stored.get(part["PartNumber"], b"") for part in listed]
        etags = [hashlib.md5(body, usedforsecurity=False).hexdigest() for body in bodies]
        if etags != [part["ETag"] for part in listed]:
            raise refuse("InvalidPart", "CompleteMultipartUpload")
        if sum(map(len, bodies)) != request["MpuObjectSize"]:
            raise refuse("InvalidRequest", "CompleteMultipartUpload")
        if any(len(body) < self.min_part for body in bodies[:-1]):
            raise refuse("EntityTooSmall", "CompleteMultipartUpload")
        del self.uploads[request["UploadId"]]
        self._store(request["Key"], b"".join(bodies), self.headers[request["UploadId"]])
        return {"ETag": "etag"}

    async def put_object_tagging(self, **request: Any) -> dict[str, Any]:
        """Tag an object."""
        await self._cross("tag", request["Key"])
        if request["Key"] not in self.objects:
            raise refuse("NoSuchKey", "PutObjectTagging", 404)
        self.tags[request["Key"]] = {tag["Key"]: tag["Value"] for tag in request["Tagging"]["TagSet"]}
        return {}

    async def abort_multipart_upload(self, **request: Any) -> dict[str, Any]:
        """Drop an upload."""
        await self._cross("abort", request["UploadId"])
        self.uploads.pop(request["UploadId"], None)
        self.aborted.append(request["UploadId"])
        return {}

    def _store(self, key: str, body: bytes, request: dict[str, Any]) -> None:
        self.objects[key], self.metadata[key] = body, dict(request.get("Metadata", {}))
        self.headers[key] = request

    def sent(self, *operations: str) -> list[tuple[str, Any]]:
        """Return what crossed the wire of some kinds of operation, in order."""
        return [crossing for crossing in self.wire if crossing[0] in operations]


def _range(header: str) -> slice:
    first, last = header.removeprefix("bytes=").split("-")
    return slice(int(first), int(last) + 1)


@dataclass
class Siblings:
    """The Lambda client of the siblings: takes invocations instead of making them."""

    status: int = 202
    error: Exception | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    recursive_loop: str = "Allow"

    def get_function_recursion_config(self, **_: Any) -> dict[str, Any]:
        """Say what Lambda does with long chains."""
        if self.error is not None:
            raise self.error
        return {"RecursiveLoop": self.recursive_loop}

    def invoke(self, **request: Any) -> dict[str, Any]:
        """Record an invocation."""
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return {"StatusCode": 204 if request["InvocationType"] == "DryRun" else self.status}

    @property
    def payloads(self) -> list[dict[str, Any]]:
        """The siblings' events, as they crossed the wire."""
        return [json.loads(request["Payload"]) for request in self.requests]


def connect(monkeypatch: pytest.MonkeyPatch, **openers: Any) -> None:
    """
    Open other clients behind the Processor.

    :param openers: ``s3``, ``dynamodb``, ``events``: as ``Connections`` has them.
    """
    from processor import app  # noqa: PLC0415 - sosw makes its loggers at import

    monkeypatch.setattr(app.Processor, "connections", replace(app.Processor.connections, **openers))
