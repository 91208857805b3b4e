"""
A local S3 for measuring clients: prepared pages, settable latency, bodies counted and not stored.

It serves a free port of the loopback interface until it is killed; the first line printed is the port.

It answers path style and virtual-host style alike, checks no signature, and answers each JSON control-plane call
(``X-Amz-Target``) with success. ``/-/`` is its own: ``POST /-/reset`` forgets and sets, ``GET /-/report`` reports.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from benchmarks.dataset import page
from benchmarks.wire import Body, Connection, Response

if TYPE_CHECKING:
    from benchmarks.wire import Request

_PART = re.compile(rb"<PartNumber>(\d+)</PartNumber>|<ETag>(?:&quot;|&#34;|\")?([0-9a-f-]+)")
PIECES = "/.checkpoints/"
_XML = "content-type: application/xml\r\n"
_JSON = "content-type: application/x-amz-json-1.1\r\n"


@dataclass(slots=True)
class _Written:
    """
    An object, or an upload on its way to become one.

    :param metadata: Headers of the object from its request.
    """

    metadata: str
    parts: dict[int, Body] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Request) -> _Written:
        """Begin an object with the headers of its request."""
        metadata = (f"{name}: {value}\r\n" for name, value in request.headers.items() if name.startswith("x-amz-meta-"))
        return cls("".join(metadata))

    def report(self) -> dict[str, int]:
        bodies = self.parts.values()
        return {"bytes": sum(body.size for body in bodies), "lines": sum(body.lines for body in bodies)}

    def content(self) -> list[bytes]:
        return [piece for _, body in sorted(self.parts.items()) for piece in body.kept]

    def slice(self, wanted: str | None) -> Body:
        """Return the bytes of a range, as ``Range`` writes it; all of them without one, and not copied."""
        if wanted is None:
            bodies = self.parts.values()
            sizes = sum(body.size for body in bodies), sum(body.lines for body in bodies)
            return Body(sys.maxsize, *sizes, self.content())
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        body, at = Body(sys.maxsize), 0
        for piece in self.content():
            start, end = max(int(first) - at, 0), int(last) + 1 - at
            if start < len(piece) and end > 0:
                body.feed(piece[start:end])
            at += len(piece)
        return body


class Stub:
    """The server's state between two resets."""

    def __init__(self) -> None:
        self.reset(latency=0.0, keep=0)

    def reset(self, *, latency: float, keep: int) -> None:
        """Forget everything; answer each LIST after ``latency`` seconds, keep ``keep`` bytes of each body."""
        self.latency, self.keep = latency, keep
        self.lists = 0
        self.objects: dict[str, _Written] = {}
        self.uploads: dict[str, _Written] = {}
        self.etags: dict[str, str] = {}

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        if request.path.startswith("/-/"):
            return self._control(request)
        if "x-amz-target" in request.headers:
            return Response(headers=_JSON, body=[b'{"FailedEntryCount":0,"Entries":[]}'])
        answers = {"GET": self._get, "HEAD": self._get, "PUT": self._put, "POST": self._post, "DELETE": self._delete}
        return answers[request.method](_name(request), request)

    def _control(self, request: Request) -> Response:
        if request.path == "/-/reset":
            self.reset(latency=float(request.query["latency"]), keep=int(request.query["keep"]))
            return Response(body=[b"{}"])
        objects = {name: written.report() for name, written in self.objects.items()}
        report = {"lists": self.lists, "uploads": len(self.uploads), "objects": objects}
        return Response(body=[json.dumps(report).encode()])

    def _etag(self, name: str) -> str:
        self.etags[name] = f"{len(self.etags) + 1:032x}"
        return f'etag: "{self.etags[name]}"\r\n'

    def _put(self, name: str, request: Request) -> Response:
        if upload_id := request.query.get("uploadId"):
            return self._put_part(upload_id, int(request.query["partNumber"]), request)
        if request.headers.get("if-none-match") == "*" and name in self.objects:
            return Response("412 Precondition Failed")
        self.objects[name] = _Written.of(request)
        self.objects[name].parts[1] = request.body
        return Response(headers=self._etag(name))

    def _put_part(self, upload_id: str, number: int, request: Request) -> Response:
        etag = self._etag(f"{upload_id}#{number}")
        source = request.headers.get("x-amz-copy-source")
        if source is None:
            self.uploads[upload_id].parts[number] = request.body
            return Response(headers=etag)
        copied = self.objects[unquote(source).lstrip("/")]
        self.uploads[upload_id].parts[number] = copied.slice(request.headers.get("x-amz-copy-source-range"))
        return _xml("CopyPartResult", f"<ETag>&quot;{self.etags[f'{upload_id}#{number}']}&quot;</ETag>")

    def _post(self, name: str, request: Request) -> Response:
        if "uploads" in request.query:
            upload_id = f"upload-{len(self.uploads) + len(self.objects) + 1}"
            self.uploads[upload_id] = _Written.of(request)
            tags = f"<Bucket>b</Bucket><Key>{quote(name)}</Key><UploadId>{upload_id}</UploadId>"
            return _xml("InitiateMultipartUploadResult", tags)
        upload_id = request.query["uploadId"]
        upload = self.uploads[upload_id]
        found = _PART.findall(b"".join(request.body.kept))
        numbers = [int(number) for number, _ in found if number]
        etags = [etag.decode() for _, etag in found if etag]
        held = [self.etags.get(f"{upload_id}#{number}") for number in numbers]
        if etags != held or numbers != sorted(upload.parts):
            return Response("400 Bad Request", _XML, [b"<Error><Code>InvalidPart</Code></Error>"])
        self.objects[name] = self.uploads.pop(upload_id)
        return _xml("CompleteMultipartUploadResult", f"<Key>{quote(name)}</Key><ETag>&quot;{upload_id}&quot;</ETag>")

    def _delete(self, name: str, request: Request) -> Response:
        if upload_id := request.query.get("uploadId"):
            self.uploads.pop(upload_id, None)
        else:
            self.objects.pop(name, None)
        return Response("204 No Content")

    def _get(self, name: str, request: Request) -> Response:
        if "list-type" in request.query:
            self.lists += 1
            return Response(headers=_XML, body=page(name, request.query), delay=self.latency)
        if name not in self.objects:
            return Response("404 Not Found", _XML, [b"<Error><Code>NoSuchKey</Code></Error>"])
        if request.method == "HEAD":
            return Response(headers=f"content-length: {self.objects[name].report()['bytes']}\r\n{self._headers(name)}")
        wanted = request.headers.get("range")
        status = "200 OK" if wanted is None else "206 Partial Content"
        return Response(status, self._headers(name), self.objects[name].slice(wanted).kept)

    def _headers(self, name: str) -> str:
        """Return the headers of an object."""
        return f'etag: "{self.etags.get(name, "0" * 32)}"\r\n{self.objects[name].metadata}'

    def keep_of(self, method: str, path: str, headers: dict[str, str]) -> int:
        """Return how many bytes of a body to keep: all of one that must be parsed, or may be copied or read again."""
        needed = method == "POST" or "aws-chunked" in headers.get("content-encoding", "") or PIECES in path
        return sys.maxsize if needed else self.keep


def _xml(name: str, tags: str) -> Response:
    return Response(headers=_XML, body=[f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{tags}</{name}>'.encode()])


def _name(request: Request) -> str:
    """Return ``bucket/key``, for either style of address."""
    bucket = request.headers.get("host", "").split(":")[0].removesuffix("localhost").rstrip(".")
    virtual = bucket and not bucket.replace(".", "").isdigit()
    return (f"{bucket}{request.path}" if virtual else request.path[1:]).rstrip("/")


async def _serve() -> None:
    stub = Stub()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(stub.handle, stub.keep_of), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
