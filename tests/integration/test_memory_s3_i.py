"""The in-memory S3 answers as a server does, to the requests that the processor sends and to wrong ones."""

from __future__ import annotations

import base64
import io
import random
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from processor.errors import error_code
from tests.memory_s3 import MemoryS3

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

MIN_PART = 64
KEYS = ("2026/a.pdf", "2026/é.pdf", "2026/\U0001f600.pdf", "2026/z z.pdf", "other")
# Fields of a response that the processor may read.
READ = ("Body", "ContentLength", "CopyPartResult", "ETag", "IsTruncated", "KeyCount", "Metadata", "keys")


class Pair:
    """Send the same requests to both, with each one's own upload ids and tokens."""

    def __init__(self, server: S3Client, bucket: str) -> None:
        self._server, self._bucket, self._memory = server, bucket, MemoryS3(min_part=MIN_PART)
        self._own: dict[object, object] = {}  # the memory's ids and tokens, by the server's

    def ask(self, operation: str, **request: Any) -> dict[str, Any]:
        """Send a request to both; return the server's response if the two are equal."""
        answer, own = self._asked(operation, request)
        read, read_own = _read(answer), _read(own)
        if operation == "upload_part_copy" and read.get("refused") == "404":
            read["refused"] = "NoSuchKey"  # moto does not give S3's code
        assert read_own == read, (operation, request)
        for name in ("UploadId", "NextContinuationToken"):
            assert (name in own) == (name in answer)
            if name in answer:
                self._own[answer[name]] = own[name]
        return answer

    def _asked(self, operation: str, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        translated = {n: self._own.get(v, v) if isinstance(v, str) else v for n, v in request.items()}
        own = _outcome(lambda **asked: self._memory.call(operation, asked), translated)
        if "CopySource" in request:
            request = request | {"CopySource": {"Bucket": self._bucket, **request["CopySource"]}}
        if isinstance(request.get("Body"), io.BytesIO):
            request["Body"].seek(0)
        return _outcome(getattr(self._server, operation), {"Bucket": self._bucket, **request}), own


def _outcome(call: Any, request: dict[str, Any]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = call(**request)
    except ClientError as error:
        return {"refused": error_code(error), "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    return answer


def _read(answer: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in answer.items() if name in {*READ, "refused", "status"}}
    if "Contents" in answer:
        found["keys"] = [entry["Key"] for entry in answer["Contents"]]
    if hasattr(found.get("Body"), "read"):
        found["Body"] = found["Body"].read()
    if "CopyPartResult" in found:
        found["CopyPartResult"] = found["CopyPartResult"]["ETag"]
    return found


@pytest.fixture
def pair(s3: S3Client, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Return both servers, which accept short parts."""
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", MIN_PART)
    return Pair(s3, bucket)


def test_objects_are_written_read_and_deleted_as_in_moto(pair: Pair) -> None:
    """Written conditionally, read whole and in part, described, tagged, deleted."""
    body = b"0123456789" * 20
    good = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    for key in KEYS:
        pair.ask("put_object", Key=key, Body=body, IfNoneMatch="*", Metadata={"job-id": "x"}, ChecksumCRC32=good)
        pair.ask("put_object", Key=key, Body=b"second", IfNoneMatch="*")
        for cut in (None, "bytes=0-9", "bytes=150-999", "bytes=199-199", "bytes=200-300"):
            pair.ask("get_object", Key=key, **({} if cut is None else {"Range": cut}))
        pair.ask("head_object", Key=key)
    for key in ("2026/a.pdf", "nothing", "other"):
        for operation, more in (
            ("put_object_tagging", {"Tagging": {"TagSet": [{"Key": "count", "Value": "1"}]}}),
            ("delete_object", {}),
            ("get_object", {}),
            ("head_object", {}),
        ):
            pair.ask(operation, Key=key, **more)


@pytest.mark.parametrize("seed", range(3))
def test_a_listing_from_any_place_equals_motos(pair: Pair, seed: int) -> None:
    """In UTF-8 order, from a key or a token; the token has precedence."""
    draw = random.Random(seed)
    for number in range(40):
        pair.ask("put_object", Key=f"{draw.choice(KEYS)}{number}", Body=b"")
    for _ in range(30):
        request: dict[str, Any] = {"Prefix": draw.choice(["", "2026/", "o", "none"]), "MaxKeys": draw.randrange(1, 50)}
        if draw.random() < 0.5:
            request["StartAfter"] = draw.choice([*KEYS, "2026/b", "zz"])
        answer = pair.ask("list_objects_v2", **request)
        while "NextContinuationToken" in answer:
            answer = pair.ask("list_objects_v2", **request, ContinuationToken=answer["NextContinuationToken"])


def _begun(pair: Pair, parts: dict[int, bytes]) -> tuple[str, dict[int, str]]:
    """Begin an upload with some parts; return its id and the ETags."""
    upload_id = pair.ask("create_multipart_upload", Key="m", Metadata={"job-id": "x"})["UploadId"]
    etags = {}
    for number, body in parts.items():
        answer = pair.ask("upload_part", Key="m", UploadId=upload_id, PartNumber=number, Body=io.BytesIO(body))
        etags[number] = answer["ETag"]
    return upload_id, etags


def _listed(etags: dict[int, str], numbers: list[int]) -> dict[str, Any]:
    return {"Parts": [{"PartNumber": number, "ETag": etags.get(number, '"none"')} for number in numbers]}


@pytest.mark.parametrize(
    ("numbers", "sizes"),
    [
        ([1], [1]),
        ([1, 2], [MIN_PART, 1]),
        ([1, 3, 9], [MIN_PART, MIN_PART + 1, 0]),
        ([1, 2], [MIN_PART - 1, 5]),
        ([], []),
    ],
)
def test_an_upload_is_completed_as_in_moto(pair: Pair, numbers: list[int], sizes: list[int]) -> None:
    """Parts become one object, by number and ETag, or are refused; a completed upload is gone."""
    upload_id, etags = _begun(pair, {n: bytes([n]) * size for n, size in zip(numbers, sizes, strict=True)})
    place = {"Key": "m", "UploadId": upload_id}
    pair.ask("complete_multipart_upload", **place, MultipartUpload=_listed(etags, numbers), IfNoneMatch="*")
    pair.ask("head_object", Key="m")
    pair.ask("abort_multipart_upload", **place)


def test_a_conditional_completion_never_replaces_an_object(pair: Pair) -> None:
    """The last upload of a part number counts, and the ETag of an earlier one is refused."""
    upload_id, etags = _begun(pair, {1: b"first"})
    place = {"Key": "m", "UploadId": upload_id}
    pair.ask("complete_multipart_upload", **place, MultipartUpload=_listed(etags, [1, 77]))
    second = pair.ask("upload_part", **place, PartNumber=1, Body=io.BytesIO(b"second"))["ETag"]
    pair.ask("complete_multipart_upload", **place, MultipartUpload=_listed(etags, [1]))
    pair.ask("put_object", Key="m", Body=b"there")
    pair.ask("complete_multipart_upload", **place, MultipartUpload=_listed({1: second}, [1]), IfNoneMatch="*")
    pair.ask("complete_multipart_upload", **place, MultipartUpload=_listed({1: second}, [1]))
    pair.ask("get_object", Key="m")


def test_parts_are_copied_from_other_objects(pair: Pair) -> None:
    """Whole and in part; a missing object is refused."""
    upload_id, etags = _begun(pair, {})
    place = {"Key": "m", "UploadId": upload_id}
    pair.ask("put_object", Key="2026/é z.pdf", Body=bytes(range(200)))
    for number, cut in ((1, None), (3, "bytes=0-99"), (5, "bytes=199-199")):
        more = {} if cut is None else {"CopySourceRange": cut}
        source = {"Key": "2026/é z.pdf"}
        answer = pair.ask("upload_part_copy", **place, PartNumber=number, CopySource=source, **more)
        etags[number] = answer["CopyPartResult"]["ETag"]
    pair.ask("upload_part_copy", **place, PartNumber=6, CopySource={"Key": "nothing"})
    pair.ask("complete_multipart_upload", **place, MultipartUpload=_listed(etags, [1, 3, 5]))
    pair.ask("get_object", Key="m")
