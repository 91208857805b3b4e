"""An S3 server on loopback that keeps objects in memory and fails on cue, so that real HTTP is tested."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
from base64 import b64encode
from bisect import bisect_right
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from botocore import xform_name

from tests.pages import aws_page

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

FOREVER = 1000
Reply = tuple[int, bytes, dict[str, str]]
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Fault(Enum):
    """A request's fault."""

    SLOW_DOWN = (503, "SlowDown")
    INTERNAL = (500, "InternalError")
    BROKEN_REFUSAL = (500, "BrokenOff")
    UNAVAILABLE = (503, "ServiceUnavailable")
    ERROR_IN_200 = (200, "InternalError")
    NOTHING = (200, "")
    PAGE = (200, "<html><body>Sign in</body></html>")
    DENIED = (403, "AccessDenied")
    CUSTOMERS_KEY = (400, "InvalidRequest")
    NO_BUCKET = (404, "NoSuchBucket")
    NOT_IMPLEMENTED = (501, "NotImplemented")
    RESET = (0, "connection reset before anything is done")
    LOST = (0, "connection reset after it is done")
    TRUNCATED = (0, "connection closed within the body")
    CUT = (0, "a body that is short and says so")


@dataclass
class ScriptedS3:
    """
    The server's objects and the requests that it got.

    :param wire:    Each request: the operation and its fault.
    :param queries: Each request's operation and query.
    :param sent:    Each request's operation and headers, by lower-case name.
    """

    keys: list[str] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    wire: list[tuple[str, Fault | None]] = field(default_factory=list, repr=False)
    queries: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    endpoint: str = ""
    is_locked: bool = False  # Object Lock with a default retention
    unknown: tuple[str, ...] = ()  # the code of the refusal, and the headers that it names
    is_unconditional: bool = False  # no conditional writes
    halfway: Callable[[], object] = bool  # called once half of an answer's body is sent
    arrived: threading.Condition = field(default_factory=threading.Condition)
    _faults: dict[str, list[Fault | None]] = field(default_factory=dict)

    def inject(self, operation: str, fault: Fault, times: int, *, after: int = 0) -> None:
        """Let the next requests of an operation meet a fault, ``after`` this many that meet none."""
        self._faults.setdefault(operation, []).extend([None] * after + [fault] * times)

    def count(self, operation: str, *, failed: bool | None = None) -> int:
        """Return the number of an operation's requests; on request only those that failed, or that did not."""
        return sum(name == operation and failed in {None, fault is not None} for name, fault in self.wire)

    def note(self, operation: str, query: dict[str, str]) -> Fault | None:
        """Record a request, and return its fault."""
        with self.arrived:
            due = self._faults.get(operation)
            fault = due.pop(0) if due else None
            self.wire.append((operation, fault))
            self.queries.append((operation, query))
            self.arrived.notify_all()
        return fault

    def wait_for(self, operation: str, times: int) -> bool:
        """Wait until an operation has had this many requests; ``False`` if it never does."""
        with self.arrived:
            return self.arrived.wait_for(lambda: self.count(operation) >= times, timeout=20)


def _operation(method: str, key: str, query: dict[str, str]) -> str:
    """Return S3's name of a request's operation."""
    if not key:
        return "ListObjectsV2"
    marked = {
        ("POST", "uploads"): "CreateMultipartUpload",
        ("POST", "uploadId"): "CompleteMultipartUpload",
        ("PUT", "partNumber"): "UploadPart",
        ("DELETE", "uploadId"): "AbortMultipartUpload",
    }
    plain = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
    return next(
        (name for (verb, mark), name in marked.items() if verb == method and mark in query), plain.get(method, "")
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    s3: ScriptedS3

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""

    def handle(self) -> None:
        """Serve a connection until the client closes it, in whatever way: some tests reset it."""
        with suppress(ConnectionError):
            super().handle()

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        key = unquote(parts.path).lstrip("/").partition("/")[2]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = _operation(self.command, key, query)
        operation += "Copy" if operation == "UploadPart" and "x-amz-copy-source" in self.headers else ""
        self.s3.sent.append((operation, {name.lower(): value for name, value in self.headers.items()}))
        fault = self.s3.note(operation, query)
        if fault is Fault.RESET:
            self._reset()
        elif fault is not None and fault.value[0]:
            status, code = fault.value
            if fault in {Fault.NOTHING, Fault.PAGE}:
                self._answer(status, code.encode(), {"Content-Type": "text/html"})
                return
            message = "stored using a form of Server Side Encryption" if fault is Fault.CUSTOMERS_KEY else "Injected"
            refusal = f"{_XML}<Error><Code>{code}</Code><Message>{message}.</Message></Error>".encode()
            self._answer(status, refusal, None, Fault.TRUNCATED if fault is Fault.BROKEN_REFUSAL else None)
        elif (refused := self._demanded(operation, body)) is not None:
            self._answer(*refused)
        else:
            status, answer, headers = getattr(self, f"_{xform_name(operation)}")(key, query, body)
            if fault is Fault.LOST:
                self._reset()
            else:
                self._answer(status, answer, headers, fault)

    def _demanded(self, operation: str, body: bytes) -> Reply | None:
        """Return S3's refusal of a request that lacks what the bucket demands."""
        named = " ".join(self.headers).lower()
        if self.s3.is_unconditional and ("if-none-match" in named or "if-match" in named):
            return _refusal(501, "NotImplemented")
        header = next((name for name in self.s3.unknown[1:] if name in named), None)
        if header is not None:
            return _refusal(
                400, self.s3.unknown[0], f"Unsupported header '{header.title()}' received for this API call."
            )
        if self.s3.is_locked and operation in {"PutObject", "UploadPart"} and "content-md5" not in named:
            return _refusal(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required")
        if self.headers.get("content-md5") not in {None, b64encode(_md5(body).digest()).decode()}:
            return _refusal(400, "BadDigest")
        return None

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815 - the base class's names

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, fault: Fault | None = None
    ) -> None:
        sent = body[: len(body) * 3 // 4] if fault in {Fault.TRUNCATED, Fault.CUT} else body
        length = len(sent) if fault is Fault.CUT else len(body) + (fault is Fault.TRUNCATED and not body)
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent[: len(sent) // 2])
            self.s3.halfway()
            self.wfile.write(sent[len(sent) // 2 :])
        self.close_connection = self.close_connection or fault is Fault.TRUNCATED

    def _reset(self) -> None:
        # A linger of no seconds closes with a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _list_objects_v2(self, _: str, query: dict[str, str], __: bytes) -> Reply:
        token, after = query.get("continuation-token"), query.get("start-after", "")
        if token is not None and not token.startswith("token-"):
            return _refusal(400, "InvalidArgument")
        start = int(token[6:]) if token else bisect_right(self.s3.keys, after)
        end = start + int(query["max-keys"])
        more = f"token-{end}" if end < len(self.s3.keys) else None
        return 200, aws_page(self.s3.keys[start:end], more), {"Content-Type": "application/xml"}

    def _put_object(self, key: str, _: dict[str, str], body: bytes) -> Reply:
        return self._appear(key, body, dict(self.headers.items()))

    def _appear(self, key: str, body: bytes, headers: dict[str, str]) -> Reply:
        if self.headers.get("If-None-Match") == "*" and key in self.s3.objects:
            return _refusal(412, "PreconditionFailed")
        self.s3.objects[key] = body
        self.s3.headers[key] = {
            n.lower(): v for n, v in headers.items() if n.lower().startswith(("x-amz-meta", "content-"))
        }
        return 200, b"", {"ETag": _etag(body)}

    def _get_object(self, key: str, _: dict[str, str], __: bytes) -> Reply:
        if key not in self.s3.objects:
            return _refusal(404, "NoSuchKey")
        kept = {n: v for n, v in self.s3.headers.get(key, {}).items() if n.startswith(("x-amz-meta", "content-enc"))}
        body = self.s3.objects[key]
        kept = {"ETag": _etag(body), **kept}
        if "Range" in self.headers and not body:
            return _refusal(416, "InvalidRange")
        if "Range" in self.headers:
            return 206, body[_range(self.headers["Range"])], kept
        return 200, body, kept

    _head_object = _get_object

    def _delete_object(self, key: str, _: dict[str, str], __: bytes) -> Reply:
        self.s3.objects.pop(key, None)
        return 204, b"", {}

    def _create_multipart_upload(self, key: str, _: dict[str, str], __: bytes) -> Reply:
        upload_id = f"upload{len(self.s3.uploads)}"
        self.s3.uploads[upload_id] = {}
        self.s3.headers[upload_id] = dict(self.headers.items())
        inner = f"<Bucket>reports</Bucket><Key>{key}</Key><UploadId>{upload_id}</UploadId>"
        return 200, f"{_XML}<InitiateMultipartUploadResult>{inner}</InitiateMultipartUploadResult>".encode(), {}

    def _upload_part(self, _: str, query: dict[str, str], body: bytes) -> Reply:
        if query["uploadId"] not in self.s3.uploads:
            return _refusal(404, "NoSuchUpload")
        self.s3.uploads[query["uploadId"]][int(query["partNumber"])] = body
        return 200, b"", {"ETag": _etag(body)}

    def _upload_part_copy(self, _: str, query: dict[str, str], __: bytes) -> Reply:
        source = unquote(self.headers["x-amz-copy-source"]).lstrip("/").partition("/")[2]
        if query["uploadId"] not in self.s3.uploads or source not in self.s3.objects:
            return _refusal(404, "NoSuchKey" if source not in self.s3.objects else "NoSuchUpload")
        body = self.s3.objects[source]
        if "x-amz-copy-source-range" in self.headers:
            body = body[_range(self.headers["x-amz-copy-source-range"])]
        self.s3.uploads[query["uploadId"]][int(query["partNumber"])] = body
        etag = _etag(body).replace('"', "&quot;")
        return 200, f"{_XML}<CopyPartResult><ETag>{etag}</ETag></CopyPartResult>".encode(), {}

    def _complete_multipart_upload(self, key: str, query: dict[str, str], body: bytes) -> Reply:
        parts = self.s3.uploads.get(query["uploadId"])
        if parts is None:
            return _refusal(404, "NoSuchUpload")
        numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body)]
        etags = [etag.decode().replace("&quot;", '"') for etag in re.findall(rb"<ETag>([^<]+)</ETag>", body)]
        if etags != [_etag(parts.get(number, b"")) for number in numbers]:
            return _refusal(400, "InvalidPart")
        status, answer, _ = self._appear(key, b"".join(parts[n] for n in numbers), self.s3.headers[query["uploadId"]])
        if status == 200:
            del self.s3.uploads[query["uploadId"]]
            answer = f"{_XML}<CompleteMultipartUploadResult><Key>{key}</Key></CompleteMultipartUploadResult>".encode()
        return status, answer, {}

    def _abort_multipart_upload(self, _: str, query: dict[str, str], __: bytes) -> Reply:
        return (
            (204, b"", {})
            if self.s3.uploads.pop(query["uploadId"], None) is not None
            else _refusal(404, "NoSuchUpload")
        )


def _range(header: str) -> slice:
    first, last = header.removeprefix("bytes=").split("-")
    return slice(int(first), int(last) + 1)


def _etag(body: bytes) -> str:
    return f'"{_md5(body).hexdigest()}"'


def _md5(body: bytes) -> Any:
    return hashlib.md5(body, usedforsecurity=False)


def _refusal(status: int, code: str, message: str = "Refused.") -> Reply:
    return status, f"{_XML}<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(), {}


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[ScriptedS3]:
    """Run a server on a free loopback port, over TLS when a context is given."""
    s3 = ScriptedS3()
    handler = type("Handler", (_Handler,), {"s3": s3})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        s3.endpoint = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield s3
        server.shutdown()
        thread.join()
