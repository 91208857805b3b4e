"""
S3 in memory: one bucket; each request is served at once, whole or not at all.

``tests/integration/test_memory_s3_i.py`` compares its answers and refusals with a server's.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = dict[str, Any]


def refuse(code: str, operation: str = "Operation", status: int = 400) -> ClientError:
    """Return the error that an AWS client raises."""
    metadata: Any = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": code}, "ResponseMetadata": metadata}, operation)


def etag(body: bytes) -> str:
    """Return the ETag of a part, and of an object that was put whole."""
    return f'"{_md5(body).hex()}"'


@dataclass
class MemoryS3:
    """
    The server.

    :param keys:       Objects that existed before, of which only the keys matter.
    :param objects:    Objects with their bodies.
    :param headers:    The request that made an object, by its key; the one that began an upload, by its id.
    :param uploads:    The parts of each open upload, by number: the last upload of a number counts, as in S3.
    :param closed:     How the other uploads ended: ``completed`` or ``aborted``.
    :param min_part:   Minimum bytes of each part but the last.
    :param token_life: Seconds after which a continuation token is refused.
    :param clock:      Seconds.
    :param older:      Number of a key's versions besides the latest.
    :param deleted:    Keys whose latest version is a delete marker.
    :param facts:      Facts of an object that a listing gives besides its key.
    :param appeared:   Called with each object that is stored.
    """

    keys: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, dict[str, str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    headers: dict[str, Answer] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    min_part: int = 5 << 20
    token_life: float = float("inf")
    clock: Callable[[], float] = lambda: 0.0
    facts: Callable[[str], Answer] = lambda _: {}
    older: Callable[[str], int] = lambda _: 0
    deleted: frozenset[str] = frozenset()
    appeared: Callable[[str, bytes], None] = lambda *_: None

    def __post_init__(self) -> None:
        self._tokens: dict[str, float] = {}
        self._listed: tuple[Any, list[str]] = None, []
        self._begun = 0

    @property
    def aborted(self) -> list[str]:
        """The uploads that were aborted, in order."""
        return [upload_id for upload_id, how in self.closed.items() if how == "aborted"]

    def call(self, operation: str, request: Answer) -> Answer:
        """Serve one request of a client, by the client's name for it."""
        answer: Answer = getattr(self, f"do_{operation}")(**request)
        return answer

    def do_list_objects_v2(
        self,
        *,
        Prefix: str = "",
        MaxKeys: int = 1000,
        ContinuationToken: str | None = None,
        StartAfter: str = "",
        **_: Any,
    ) -> Answer:
        """List in UTF-8 order; a token is opaque, and has precedence over ``StartAfter``."""
        after = StartAfter if ContinuationToken is None else self._after(ContinuationToken)
        keys = self._below(Prefix)
        start = bisect_right(keys, after)
        page, is_truncated = keys[start : start + MaxKeys], start + MaxKeys < len(keys)
        answer: Answer = {"IsTruncated": is_truncated, "KeyCount": len(page)}
        if page:
            answer["Contents"] = [{"Key": key, **self.facts(key)} for key in page]
        if is_truncated:
            answer["NextContinuationToken"] = token = f"token:{page[-1]}"
            self._tokens[token] = self.clock()
        return answer

    def do_list_object_versions(
        self, *, Prefix: str = "", MaxKeys: int = 1000, KeyMarker: str = "", VersionIdMarker: str = "", **_: Any
    ) -> Answer:
        """List all versions after a key, or after a version of it: by key, each with the latest first."""
        keys, found = self._below(Prefix), list[Answer]()
        start, skipped = bisect_right(keys, KeyMarker) - bool(VersionIdMarker), -1
        for key in keys[max(start, 0) :]:
            names = [f"{number}-{key}" for number in range(self.older(key) + 1)]
            skipped = names.index(VersionIdMarker) if key == KeyMarker and VersionIdMarker else -1
            for number, name in enumerate(names[skipped + 1 :], skipped + 1):
                found.append({"Key": key, "VersionId": name, "IsLatest": not number, **self.facts(key)})
            if len(found) > MaxKeys:
                break
        page = found[:MaxKeys]
        answer: Answer = {"IsTruncated": len(found) > MaxKeys}
        if answer["IsTruncated"]:
            answer |= {"NextKeyMarker": page[-1]["Key"], "NextVersionIdMarker": page[-1]["VersionId"]}
        for each in page:
            is_marker = each["IsLatest"] and each["Key"] in self.deleted
            answer.setdefault("DeleteMarkers" if is_marker else "Versions", []).append(each)
        return answer

    def _after(self, token: str) -> str:
        is_dead = self.clock() - self._tokens.get(token, self.clock()) > self.token_life
        if is_dead or not token.startswith("token:"):
            raise refuse("InvalidArgument", "ListObjectsV2")
        return token.removeprefix("token:")

    def _below(self, prefix: str) -> list[str]:
        state = prefix, len(self.keys), len(self.objects)
        if self._listed[0] != state:
            self._listed = state, sorted(key for key in {*self.keys, *self.objects} if key.startswith(prefix))
        return self._listed[1]

    def do_put_object(self, *, Key: str, Body: Any, **request: Any) -> Answer:
        """Store an object, conditionally on request."""
        self._free(Key, "PutObject", request)
        body = _sent(Body)
        if "ChecksumCRC32" in request and request["ChecksumCRC32"] != _crc32(body):
            raise refuse("BadDigest", "PutObject")
        return self.store(Key, body, {"Key": Key, "Body": Body, **request}, etag(body))

    def do_get_object(self, *, Key: str, Range: str | None = None, **_: Any) -> Answer:
        """Return an object's body, or the bytes of a range of it."""
        stored = self._object(Key, "GetObject")
        body = stored if Range is None else _cut(stored, Range, "GetObject")
        return self._described(Key) | {"Body": body, "ContentLength": len(body)}

    def do_head_object(self, *, Key: str, **_: Any) -> Answer:
        """Return an object's metadata."""
        if Key not in self.objects:
            raise refuse("404", "HeadObject", 404)  # an answer to HEAD has no body that could name the code
        return self._described(Key)

    def do_delete_object(self, *, Key: str, **_: Any) -> Answer:
        """Delete an object, whether it exists or not."""
        for kept in (self.objects, self.etags, self.metadata, self.tags, self.headers):
            kept.pop(Key, None)
        return {}

    def do_put_object_tagging(self, *, Key: str, Tagging: dict[str, Any], **_: Any) -> Answer:
        """Tag an object."""
        self._object(Key, "PutObjectTagging")
        self.tags[Key] = {tag["Key"]: tag["Value"] for tag in Tagging["TagSet"]}
        return {}

    def do_create_multipart_upload(self, **request: Any) -> Answer:
        """Begin an upload."""
        self._begun += 1
        upload_id = f"upload-{self._begun}"
        self.uploads[upload_id], self.headers[upload_id] = {}, request
        return {"UploadId": upload_id}

    def do_upload_part(self, *, UploadId: str, PartNumber: int, Body: Any, **_: Any) -> Answer:
        """Take a part."""
        parts = self._parts(UploadId, "UploadPart")
        parts[PartNumber] = _sent(Body)
        return {"ETag": etag(parts[PartNumber])}

    def do_upload_part_copy(
        self,
        *,
        UploadId: str,
        PartNumber: int,
        CopySource: dict[str, str],
        CopySourceRange: str | None = None,
        **_: Any,
    ) -> Answer:
        """Take a part from another object."""
        parts = self._parts(UploadId, "UploadPartCopy")
        source = self._object(CopySource["Key"], "UploadPartCopy")
        parts[PartNumber] = source if CopySourceRange is None else _cut(source, CopySourceRange, "UploadPartCopy")
        return {"CopyPartResult": {"ETag": etag(parts[PartNumber])}}

    def do_complete_multipart_upload(
        self, *, Key: str, UploadId: str, MultipartUpload: dict[str, Any], **request: Any
    ) -> Answer:
        """Complete an upload: parts by number and ETag, in order, each big enough but the last."""
        operation = "CompleteMultipartUpload"
        parts = self._parts(UploadId, operation)
        self._free(Key, operation, request)
        listed = [(part["PartNumber"], part["ETag"]) for part in MultipartUpload["Parts"]]
        numbers = [number for number, _ in listed]
        if not numbers:
            raise refuse("MalformedXML", operation)
        if numbers != sorted(set(numbers)):
            raise refuse("InvalidPartOrder", operation)
        if any(number not in parts or etag(parts[number]) != given for number, given in listed):
            raise refuse("InvalidPart", operation)
        bodies = [parts[number] for number in numbers]
        if any(len(body) < self.min_part for body in bodies[:-1]):
            raise refuse("EntityTooSmall", operation)
        if sum(map(len, bodies)) != request.get("MpuObjectSize", sum(map(len, bodies))):
            raise refuse("InvalidRequest", operation)
        self._close(UploadId, "completed")
        of_all = f'"{_md5(b"".join(map(_md5, bodies))).hex()}-{len(bodies)}"'
        return self.store(Key, b"".join(bodies), self.headers[UploadId], of_all)

    def do_abort_multipart_upload(self, *, UploadId: str, **_: Any) -> Answer:
        """Drop an upload."""
        self._parts(UploadId, "AbortMultipartUpload")
        self._close(UploadId, "aborted")
        return {}

    def store(self, key: str, body: bytes, request: Answer, as_etag: str = '"etag"') -> Answer:
        """Store an object, as a request asks for it."""
        self.appeared(key, body)
        self.objects[key], self.metadata[key], self.headers[key] = body, dict(request.get("Metadata", {})), request
        self.etags[key] = as_etag
        self.tags.pop(key, None)
        return {"ETag": as_etag}

    def _described(self, key: str) -> Answer:
        known = {"ContentLength": len(self.objects[key]), "Metadata": self.metadata.get(key, {})}
        return known | ({"ETag": self.etags[key]} if key in self.etags else {})

    def _object(self, key: str, operation: str) -> bytes:
        if key not in self.objects:
            raise refuse("NoSuchKey", operation, 404)
        return self.objects[key]

    def _parts(self, upload_id: str, operation: str) -> dict[int, bytes]:
        if upload_id not in self.uploads:
            raise refuse("NoSuchUpload", operation, 404)
        return self.uploads[upload_id]

    def _free(self, key: str, operation: str, request: Answer) -> None:
        if request.get("IfNoneMatch") == "*" and key in self.objects:
            raise refuse("PreconditionFailed", operation, 412)

    def _close(self, upload_id: str, how: str) -> None:
        del self.uploads[upload_id]
        self.closed[upload_id] = how


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


def _crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def _sent(body: Any) -> bytes:
    """Return the body of a request: bytes, or a file, which botocore rewinds before each try."""
    if isinstance(body, bytes):
        return body
    body.seek(0)
    return bytes(body.read())


def _cut(body: bytes, header: str, operation: str) -> bytes:
    """Return the bytes of a range: from a first byte to a last one, which may lie after the end."""
    first, last = map(int, header.removeprefix("bytes=").split("-"))
    if first >= len(body):
        raise refuse("InvalidRange", operation, 416)
    return body[first : last + 1]
