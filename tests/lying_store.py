"""A store with a faulty gateway before it: truncated or wrong responses, and objects that change."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import time
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

STALL_SECONDS = 1.2  # longer than the client of a history waits
SMALL = 100  # bytes; the beginning of a smaller object may come twice the same, which would prove it
ENDS = "\r\nContent-Length: 0\r\n\r\n"
IN_PLACE = {
    "refused": f"HTTP/1.1 403 Forbidden{ENDS}",
    "busy": f"HTTP/1.1 503 Slow Down{ENDS}",
    "idle": f"HTTP/1.1 408 Request Timeout\r\nConnection: close{ENDS}",
    "page": 'HTTP/1.1 200 OK\r\nETag: "p"\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nEnter',
    "no HTTP": "SSH-2.0-x\r\n",
    "closed": "",
}
KEPT = frozenset({"", "refused", "busy", "page", "changed", "no ranges", "another range", "no conditions", "chunks"})
CUT = frozenset({"reset", "cut", "stalled"})
FAULTS = (*IN_PLACE, *sorted((KEPT | CUT) - {"", *IN_PLACE}), "cut chunks", "short", "long", "no length")


@dataclass
class Object:
    """The versions of an object with their ETags: MD5s, or those of uploads in parts, which are no checksums."""

    is_md5: bool
    versions: list[tuple[bytes, str]] = field(default_factory=list)

    def put(self, random: Random, size: int) -> None:
        """Store other bytes."""
        body = random.randbytes(size)
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.versions.append((body, f'"{md5}"' if self.is_md5 else f'"{md5}-2"'))


class Store(ThreadingTCPServer):
    """Objects by path, the share of faulty responses, and their faults."""

    daemon_threads, request_queue_size = True, 128

    def __init__(self, random: Random) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.random, self.objects = random, dict[str, Object]()
        self.rate, self.faults = 0.0, list[str]()

    def handle_error(self, *_: Any) -> None:
        """Log nothing about a client that was killed."""


class _Connection(StreamRequestHandler):
    server: Store

    def handle(self) -> None:
        random, fault = self.server.random, ""
        while fault in KEPT and (line := self.rfile.readline()):
            pairs = (each.decode().partition(": ") for each in iter(self.rfile.readline, b"\r\n"))
            asked = {name.lower(): value.strip() for name, _, value in pairs}
            fault = random.choice(self.server.faults) if random.random() < self.server.rate else ""
            path, fixed = line.decode().split(" ")[1].partition("?")[0], IN_PLACE.get(fault)
            self.wfile.write((self._answer(path, asked, fault) if fixed is None else fixed).encode())

    def _answer(self, path: str, asked: dict[str, str], fault: str) -> str:
        """Answer a request; return the response to send in place of an object."""
        random, one = self.server.random, self.server.objects[path]
        if fault == "changed":
            one.put(random, random.choice([len(one.versions[-1][0]), random.randrange(1 << 20)]))
        body, etag = one.versions[-1]
        if fault != "no conditions" and asked.get("if-match", etag) != etag:
            return f"HTTP/1.1 412 Precondition Failed{ENDS}"
        head, first, end = f"HTTP/1.1 200 OK\r\nETag: {etag}", 0, len(body)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.get("range", ""))
        if wanted is not None and fault != "no ranges":
            first, end = int(wanted[1]), min(end, int(wanted[2] or end) + 1)
            if first >= len(body):
                return f"HTTP/1.1 416 Range Not Satisfiable{ENDS}"
            if fault == "another range":
                first, end = random.randint(first // 2, first), random.randint(first + 1, len(body))
            head = f"HTTP/1.1 206 Partial Content\r\nETag: {etag}\r\nContent-Range: bytes {first}-{end - 1}/{len(body)}"
        self._send(head, body[first:end], fault, is_proved=one.is_md5 and len(body) > SMALL)
        return ""

    def _send(self, head: str, body: bytes, fault: str, *, is_proved: bool) -> None:
        """
        Send an object or a part of it.

        :param is_proved: Whether a checksum distinguishes the beginning from the whole; the response alone would not.
        """
        at = self.server.random.randrange(len(body) + 1)
        sent = body[:at] if fault in CUT or (fault == "no length" and is_proved) else body
        length = f"\r\nContent-Length: {at if fault == 'short' and is_proved else len(body) + (fault == 'long')}"
        if fault in {"chunks", "cut chunks"}:
            pieces = [piece for piece in (body[:at], body[at:]) if piece]
            sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            sent = sent[: at + self.server.random.randrange(9)] if fault == "cut chunks" and body else sent
            length = "\r\nTransfer-Encoding: chunked"
        self.wfile.write(f"{head}{'' if fault == 'no length' else length}\r\n\r\n".encode() + sent)
        time.sleep(STALL_SECONDS * (fault == "stalled"))
        if fault == "reset":
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
