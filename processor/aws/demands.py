"""What a bucket or a store demands of requests that write, or does not know: learned from its first refusal."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_s3 import S3Client

_WRITES = ("PutObject", "UploadPart", "CompleteMultipartUpload")
_MD5 = "Content-MD5"
_CONDITIONS = ("If-None-Match", "If-Match")
_OPTIONAL = (*_CONDITIONS, "x-amz-mp-object-size")
_UNKNOWN = frozenset({"NotImplemented", "InvalidArgument"})  # with a header's name, as R2 and Backblaze B2 answer


def heed_demands(client: S3Client) -> None:
    """
    Let a client send what a refused request lacked, or leave out what the store does not know, from the second try on.

    A bucket with Object Lock and a default retention wants a checksum of each body: an MD5 goes with any kind of
    upload, and costs time that no other bucket needs to take. Stores such as Alibaba's OSS and Swift do not know all
    conditional writes: there the ledger alone keeps two holders of a run apart, and a run's key is its own; the object
    at a job's stable key is replaced unless the last look at it spoke against that. Backblaze B2 refuses each header
    that it does not know.
    """
    unknown, wants_md5 = set[str](), False

    def before(params: dict[str, Any], **_: object) -> None:
        for name in unknown:
            params["headers"].pop(name, None)
        if wants_md5:
            _add_md5(params)

    def learn(
        response: tuple[Any, dict[str, Any]] | None = None, request_dict: dict[str, Any] | None = None, **_: object
    ) -> float | None:
        nonlocal wants_md5
        if response is None or request_dict is None:
            return None
        error, headers = response[1].get("Error", {}), request_dict["headers"]
        refused, lacks_md5 = _refused(error, headers), _lacks_md5(error, headers)
        if not refused and not lacks_md5:
            return None
        unknown.update(refused)
        wants_md5 = wants_md5 or lacks_md5
        before(request_dict)
        return 0.0  # seconds until it is sent again

    answer: Any = learn  # the stubs know no handler that returns a time
    for operation in _WRITES:
        client.meta.events.register(f"before-call.s3.{operation}", before, unique_id=f"demands-{operation}")
        client.meta.events.register_first(f"needs-retry.s3.{operation}", answer, unique_id=f"answer-{operation}")


def _lacks_md5(error: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    return error.get("Code") == "InvalidRequest" and _MD5 in str(error.get("Message")) and _MD5 not in headers


def _refused(error: Mapping[str, Any], headers: Mapping[str, str]) -> list[str]:
    """Return the headers that a store does not know: those that it names, or else the conditions."""
    if error.get("Code") not in _UNKNOWN:
        return []
    message = str(error.get("Message")).lower()
    named = [name for name in _OPTIONAL if name in headers and name.lower() in message]
    if named or error["Code"] != "NotImplemented":
        return named
    return [name for name in _CONDITIONS if name in headers]


def _add_md5(request: dict[str, Any]) -> None:
    body = request["body"]
    if not isinstance(body, bytes | bytearray):
        body.seek(0)  # it was sent before it was refused; botocore, too, sends it from here
        body = body.read()
        request["body"].seek(0)
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    request["headers"][_MD5] = base64.b64encode(digest).decode()
