"""Fakes in memory: a Lambda context whose clock the test moves, an S3 client, recorded siblings."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from botocore.exceptions import ClientError
from botocore.hooks import HierarchicalEmitter

from processor.errors import error_code
from processor.signing.signers import PROBE
from processor.signing.sigv4 import Dated, Template, quoted
from processor.signing_key import ALGORITHM, DATE_FORMAT
from tests.memory_s3 import MemoryS3, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

__all__ = [
    "ARN",
    "HOST",
    "NOW",
    "SECRET",
    "TOKEN",
    "FakeS3",
    "LambdaContext",
    "Siblings",
    "connect",
    "presigned",
    "refuse",
]

NOW = datetime(2026, 4, 1, 6, 30, 15, tzinfo=UTC)
TOKEN = "FwoGZXIvYXdzEBY" + "aB3/+=" * 130
SECRET = "c2VjcmV0"
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
        """Return the time left; each call takes the next of ``ticks`` while there are any."""
        self.asked += 1
        self.remaining_seconds = next(self._ticks, self.remaining_seconds)
        return round(self.remaining_seconds * 1000)


Operation = Callable[..., Awaitable[dict[str, Any]]]


def _operation(name: str, word: str, detail: str | None) -> Operation:
    """
    Return a client's operation, which records its request and serves it.

    :param word:   Its name in the record of the wire.
    :param detail: The argument that the record keeps; ``None`` keeps all of them.
    """

    async def request(self: FakeS3, **asked: Any) -> dict[str, Any]:
        await self.cross(word, asked if detail is None else asked[detail])
        return self.call(name, asked)

    return request


class Stream:
    """The body of an answer, as aiobotocore gives it."""

    def __init__(self, body: bytes) -> None:
        self._body = io.BytesIO(body)

    async def __aenter__(self) -> Self:
        """Keep the connection."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Release it."""

    async def read(self, amt: int = -1) -> bytes:
        """Return a number of bytes at most, or all."""
        return self._body.read(amt)


@dataclass
class FakeS3(MemoryS3):
    """
    An aiobotocore S3 client of a bucket in memory.

    :param wire:   What crossed the wire, in order: ``(operation, detail)``.
    :param before: Awaited before an operation; a test can block or raise there.
    :param now:    The signing clock.
    :param may_list: A role without ``s3:ListBucket`` sees 403 in place of 404.
    """

    wire: list[tuple[str, Any]] = field(default_factory=list)
    before: Callable[[str, Any], Any] | None = None
    now: Callable[[], datetime] = lambda: NOW
    may_list: bool = True

    list_objects_v2 = _operation("list_objects_v2", "list", None)
    list_object_versions = _operation("list_object_versions", "list", None)
    put_object = _operation("put_object", "put", "Key")
    head_object = _operation("head_object", "head", "Key")
    delete_object = _operation("delete_object", "delete", "Key")
    put_object_tagging = _operation("put_object_tagging", "tag", "Key")
    create_multipart_upload = _operation("create_multipart_upload", "create", "Key")
    upload_part_copy = _operation("upload_part_copy", "copy", "PartNumber")
    complete_multipart_upload = _operation("complete_multipart_upload", "complete", "Key")
    abort_multipart_upload = _operation("abort_multipart_upload", "abort", "UploadId")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.meta = SimpleNamespace(events=HierarchicalEmitter())

    async def generate_presigned_url(self, _: str, *, Params: dict[str, str], ExpiresIn: int) -> str:  # noqa: N803
        """Presign with the key ``SECRET`` and a Lambda's session token."""
        return presigned(Params["Key"], ExpiresIn, self.now(), TOKEN, Params.get("VersionId"))

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Serve one request, as S3 does for a role with these rights."""
        try:
            return super().call(operation, request)
        except ClientError as error:
            if self.may_list or error_code(error) not in {"404", "NoSuchKey"}:
                raise
            raise refuse("403" if operation == "head_object" else "AccessDenied", status=403) from error

    async def cross(self, operation: str, detail: Any) -> None:
        """Record a request, and await the test's ``before``."""
        self.wire.append((operation, detail))
        if self.before is not None:
            await self.before(operation, detail)

    async def get_object(self, **request: Any) -> dict[str, Any]:
        """Read an object; its body is a stream."""
        await self.cross("get", request["Key"])
        answer = self.call("get_object", request)
        return answer | {"Body": Stream(answer["Body"])}

    async def upload_part(self, **request: Any) -> dict[str, Any]:
        """Take a part; record its arrival and its completion."""
        await self.cross("part", request["PartNumber"])
        answer = self.call("upload_part", request)
        await self.cross("part done", request["PartNumber"])
        return answer

    def sent(self, *operations: str) -> list[tuple[str, Any]]:
        """Return the recorded requests of some kinds of operation, in order."""
        return [crossing for crossing in self.wire if crossing[0] in operations]


def presigned(key: str, expiry_seconds: int, at: datetime, token: str = "", version: str | None = None) -> str:
    """Presign as botocore does; tests/unit/signing/test_exactness.py proves that."""
    credential = f"AKIATEST%2F{at:%Y%m%d}%2Feu-west-1%2Fs3%2Faws4_request"
    fields = {"Algorithm": ALGORITHM, "Credential": credential, "Date": at.strftime(DATE_FORMAT)}
    fields |= {"Expires": str(expiry_seconds)} | ({"Security-Token": quote(token, safe="")} if token else {})
    fields |= {"SignedHeaders": "host", "Signature": "0"}
    query = "&".join(f"X-Amz-{name}={value}" for name, value in fields.items())
    query = query if version is None else f"versionId={quote(version, safe='')}&{query}"
    template = Template.learn(f"{HOST}{quoted([PROBE])[0]}?{query}", PROBE)
    assert template is not None
    return Dated(template, SECRET, at).urls(quoted([key]))[0]


class Meta:
    """A client's metadata, with its own events to register on."""

    def __init__(self) -> None:
        self.events = HierarchicalEmitter()


@dataclass
class Siblings:
    """The siblings' Lambda client, which records invocations instead of making them."""

    status: int = 202
    error: Exception | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    recursive_loop: str = "Allow"
    meta: Meta = field(default_factory=Meta)

    def get_function_recursion_config(self, **request: Any) -> dict[str, Any]:
        """Return Lambda's setting for recursive loops, which belongs to a function and not to an alias."""
        if request != {"FunctionName": "presign"}:
            raise ValueError(f"not the request for a function: {request}")
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
        """The siblings' events, as they were sent."""
        return [json.loads(request["Payload"]) for request in self.requests]


def connect(monkeypatch: pytest.MonkeyPatch, **openers: Any) -> None:
    """
    Replace clients of the Processor.

    :param openers: ``s3``, ``dynamodb``, ``events``: as ``Connections`` has them.
    """
    from processor import app  # noqa: PLC0415 - sosw makes its loggers at import

    monkeypatch.setattr(app.Processor, "connections", replace(app.Processor.connections, **openers))
