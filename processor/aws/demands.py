"""What a bucket or a store demands of requests that write; known once it has refused one without it."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_aiobotocore_s3 import S3Client

_WRITES = ("PutObject", "UploadPart", "CompleteMultipartUpload")
_MD5, _CHECKSUM = "Content-MD5", "x-amz-checksum-"
_CONDITIONS = ("If-None-Match", "If-Match")


def heed_demands(client: S3Client) -> None:
    """
    Let a client send what a refused request lacked, in the second try and from then on.

    A bucket with Object Lock and a default retention wants a checksum of each body: an MD5 goes with any kind of
    upload, and costs time that no other bucket needs to take. Stores such as Alibaba's OSS and Swift know not all
    conditional writes: there the ledger alone keeps two holders of a run apart, and a run's key is its own; what
    stands at a job's stable key is replaced as it was seen last.
    """
    demanded: list[Callable[[dict[str, Any]], None]] = []

    def before(params: dict[str, Any], **_: object) -> None:
        for change in demanded:
            if change is not _add_md5 or not _has_checksum(params):
                change(params)

    def heard(
        response: tuple[Any, dict[str, Any]] | None = None, request_dict: dict[str, Any] | None = None, **_: object
    ) -> float | None:
        change = None if response is None or request_dict is None else _change(response[1], request_dict)
        if change is None or request_dict is None:
            return None
        change(request_dict)
        if change not in demanded:
            demanded.append(change)
        return 0.0  # seconds until it is sent again

    answer: Any = heard  # the stubs know no handler that returns a time
    for operation in _WRITES:
        client.meta.events.register(f"before-call.s3.{operation}", before, unique_id=f"demands-{operation}")
        client.meta.events.register_first(f"needs-retry.s3.{operation}", answer, unique_id=f"heard-{operation}")


def _change(answer: dict[str, Any], request: dict[str, Any]) -> Callable[[dict[str, Any]], None] | None:
    """Return what to change in a request that was refused; ``None`` where that does not help."""
    error, headers = answer.get("Error", {}), request["headers"]
    if error.get("Code") == "InvalidRequest" and _MD5 in str(error.get("Message")) and _MD5 not in headers:
        return _add_md5
    if error.get("Code") == "NotImplemented" and any(name in headers for name in _CONDITIONS):
        return _drop_condition
    return None


def _has_checksum(request: dict[str, Any]) -> bool:
    """Whether a request states a checksum already; some stores refuse it all the same, since they know MD5 alone."""
    return any(name.lower().startswith(_CHECKSUM) for name in request["headers"])


def _add_md5(request: dict[str, Any]) -> None:
    headers, body = request["headers"], request["body"]
    place = None if isinstance(body, bytes | bytearray) else body.tell()
    digest = hashlib.md5(body if place is None else body.read(), usedforsecurity=False).digest()
    if place is not None:
        body.seek(place)
    headers[_MD5] = base64.b64encode(digest).decode()


def _drop_condition(request: dict[str, Any]) -> None:
    for name in _CONDITIONS:
        request["headers"].pop(name, None)
