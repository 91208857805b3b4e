"""A small HTTP server with scripted responses."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

PIECE = 1 << 18
PATIENCE_SECONDS = 60  # the longest wait until a body has been taken, on a busy machine


@dataclass
class Answer:
    """
    A response for a path.

    :param times: How often it is given before the next one; 0 is for ever.
    :param cut:   Bytes left out at the end, as by a broken connection.
    :param ranges: Whether the server supports ranges.
    :param conditions: Whether it obeys ``If-Match``.
    :param pause: Seconds between two pieces of the body.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 0
    cut: int = 0
    ranges: bool = True
    conditions: bool = True
    pause: float = 0.0


@dataclass
class Web:
    """
    The scripted responses and the requests.

    :param answers: By path; the first that has not been used up is given.
    :param asked:   Path and Range of each request.
    :param hosts:   Host header of each request.
    :param first:   Path whose body must have been taken before any other is answered; otherwise those are refused.
    """

    address: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    hosts: list[str | None] = field(default_factory=list)
    first: str | None = None
    sent: threading.Event = field(default_factory=threading.Event)

    def serve(self, path: str, *answers: Answer) -> str:
        """Script a path; return its URL, which looks presigned."""
        self.answers[path] = list(answers)
        query = "X-Amz-Date=20990401T063015Z&X-Amz-Expires=900&X-Amz-Signature=0123abcd"
        return f"{self.address}{path}?{query}"

    def answer(self, path: str) -> Answer:
        """Return the path's current response."""
        answers = self.answers.get(path)
        if not answers:
            return Answer(status=404)
        first = answers[0]
        if first.times == 1:
            answers.pop(0)
        first.times -= first.times > 1
        return first


def ranged(answer: Answer, asked: str | None, match: str | None) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers of a response to a request for a range."""
    status, body, headers = answer.status, answer.body, dict(answer.headers)
    if status != 200:
        return status, body, headers
    headers.setdefault("ETag", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", asked or "") if answer.ranges else None
    if answer.ranges and answer.conditions and match not in {None, headers["ETag"]}:
        return 412, b"", headers
    if wanted is None:
        return status, body, headers
    first = int(wanted[1])
    end = min(int(wanted[2]) + 1, len(body)) if wanted[2] else len(body)
    headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(body)}"
    return (206, body[first:end], headers) if first < len(body) else (416, b"", headers)


def pieces(body: bytes, pause: float) -> Iterator[bytes]:
    """Yield a body, with pauses if there are any."""
    size = PIECE if pause else max(1, len(body))
    for at in range(0, len(body), size):
        yield body[at : at + size]
        time.sleep(pause)


@contextmanager
def serving(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Web]:
    """Serve on a free loopback port, over TLS when a context is given; the host may be ``::1``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.requestline.split(" ")[1].partition("?")[0]  # ``self.path`` has lost doubled slashes
            web.asked.append((path, self.headers.get("Range")))
            web.hosts.append(self.headers.get("Host"))
            is_turn = web.first in {None, path} or web.sent.wait(PATIENCE_SECONDS)
            answer = web.answer(path) if is_turn else Answer(status=403)
            status, body, headers = ranged(answer, self.headers.get("Range"), self.headers.get("If-Match"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            for piece in pieces(body[: len(body) - answer.cut], answer.pause):
                self.wfile.write(piece)
            if path == web.first:
                web.sent.set()
            if answer.cut:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        request_queue_size = 128  # clients that open many connections at once do not wait

    server = Server((host, 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    named = f"[{host}]" if ":" in host else host
    web = Web(f"http{'s' if tls else ''}://{named}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def raw(*answers: tuple[bytes, ...]) -> Iterator[str]:
    """Serve raw responses, one per connection, which is closed afterwards; the pieces of a response come one by one."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):  # a test that ended before it has requested all of them
            for first, *others in answers:
                connection, _ = server.accept()
                with connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connection.recv(1 << 16)
                    connection.sendall(first)
                    for piece in others:
                        time.sleep(0.05)
                        connection.sendall(piece)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a?X-Amz-Signature=0123"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()


def breaking(body: bytes, pieces: int) -> list[tuple[bytes]]:
    """Return the responses of a network that breaks each connection after a piece of an object."""
    answers = []
    for first in range(0, len(body), len(body) // pieces):
        status = (
            f"206 Partial Content\r\nContent-Range: bytes {first}-{len(body) - 1}/{len(body)}" if first else "200 OK"
        )
        head = f'HTTP/1.1 {status}\r\nETag: "abc-2"\r\nContent-Length: {len(body) - first}\r\n\r\n'
        answers.append((head.encode() + body[first : first + len(body) // pieces],))
    return answers
