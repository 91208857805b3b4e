"""
HTTP/1.1 as a download needs it: a connection that is asked with GET, one request after the other.

``http.client`` is not used: reading the head of an answer takes it longer than all the rest of a small file (measured,
110 of 200 microseconds), and importing it longer than a small download.
"""

from __future__ import annotations

import base64
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, unquote, urlsplit

from presign_siblings.manifests.workers import Away
from processor.causes import place, why

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from io import BufferedReader

CONNECT_SECONDS = 10
READ_SECONDS = 60
BUFFER = 1 << 16
MAX_LINE = 1 << 16
MAX_LINES = 200
PORTS = {"http": 80, "https": 443}
_FAILED = "the connection failed: "
_HINT = "check HTTPS_PROXY and HTTP_PROXY, or name the host in NO_PROXY"
_OF_PROXIES = {
    "403": "it does not let this host through",
    "407": "it wants a name and a password: HTTPS_PROXY=http://name:password@host:port",
}
_ENDLESS = "the head of the answer does not end"
_END = b"\r\n\r\n"
_INFORMATION = range(100, 200)
_NO_BODY = frozenset({204, 304})


class BrokenError(Exception):
    """
    The connection broke, or what came is no HTTP.

    :param begun: Whether any of the answer had come.
    """

    def __init__(self, message: str, *, begun: bool = True) -> None:
        super().__init__(message)
        self.begun = begun


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Where a connection leads.

    :param host:  Name or address, with the port where the URL names one.
    :param proxy: URL of the proxy in between.
    """

    scheme: str
    host: str
    proxy: str | None = None

    @property
    def _proxy(self) -> SplitResult | None:
        return None if self.proxy is None else urlsplit(self.proxy if "://" in self.proxy else f"http://{self.proxy}")

    def open(self, tls: ssl.SSLContext | None) -> Connection:
        """
        Connect.

        :param tls: Certificates to trust, for https.
        :raises BrokenError: Nobody answers, or not as a proxy or the owner of a certificate does.
        """
        made = self._connected()
        try:
            if tls is not None:
                name = urlsplit(f"//{self.host}").hostname
                made = tls.wrap_socket(made, server_hostname=name)
        except (OSError, ValueError) as error:
            made.close()
            raise BrokenError(why(error)) from None
        made.settimeout(READ_SECONDS)
        return Connection(made)

    def _connected(self) -> socket.socket:
        """Return a connection to the host, or for http to the proxy."""
        proxy, made = self._proxy, None
        try:
            to = urlsplit(f"//{self.host}") if proxy is None else proxy
            made = socket.create_connection((to.hostname, to.port or PORTS[to.scheme or self.scheme]), CONNECT_SECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            refused = self._tunnel(made, proxy) if proxy is not None and self.scheme == "https" else None
        except (OSError, ValueError) as error:
            refused = why(error).removeprefix(_FAILED)
        if refused is None and made is not None:
            return made
        if made is not None:
            made.close()
        raise BrokenError(f"{refused}" if proxy is None else f"the proxy {place(proxy.geturl())}: {refused}; {_HINT}")

    def _tunnel(self, made: socket.socket, proxy: SplitResult) -> str | None:
        """
        Let a proxy connect with the host; it says nothing more before it is spoken to.

        :return: Why it does not, if so.
        """
        to = urlsplit(f"//{self.host}")
        host = f"[{to.hostname}]" if ":" in str(to.hostname) else to.hostname
        named = f"{host}:{to.port or PORTS[self.scheme]}"
        lines = [f"CONNECT {named} HTTP/1.1", f"Host: {named}"]
        made.sendall(_head([*lines, *(f"{name}: {value}" for name, value in _authorization(proxy).items())]))
        head = b""
        while b"\r\n\r\n" not in head and (came := made.recv(BUFFER)):
            head += came
        status = head.partition(b" ")[2][:3].decode("latin-1")
        return None if status == "200" else _OF_PROXIES.get(status, f"it answered {status or 'nothing'}")

    def request(self, url: str, headers: Mapping[str, str]) -> bytes:
        """Return a request; the URL is sent as it is, since it was signed so."""
        target, more = url, dict(headers)
        if self.scheme == "https" or self.proxy is None:
            target = url.partition("://")[2].removeprefix(self.host) or "/"
            target = target if target.startswith("/") else f"/{target}"
        elif (proxy := self._proxy) is not None:
            more |= _authorization(proxy)
        lines = [f"GET {target} HTTP/1.1", f"Host: {self.host}", *(f"{name}: {value}" for name, value in more.items())]
        return _head(lines)


def _head(lines: list[str]) -> bytes:
    if any("\r" in line or "\n" in line for line in lines):
        raise BrokenError("the URL holds a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


class Connection:
    """
    An open connection.

    :param made: Connected.
    """

    def __init__(self, made: socket.socket) -> None:
        self._made = made
        self._reader = cast("BufferedReader", made.makefile("rb", BUFFER))
        self.asked = self._there = 0

    def ask(self, request: bytes) -> Answer:
        """
        Send a request, and read the head of its answer.

        :raises BrokenError: The connection broke.
        """
        self.asked += 1
        try:
            self._made.sendall(request)
            with Away():
                self._reader.peek()
            status, headers = self._head()
            while status in _INFORMATION:
                status, headers = self._head()
        except OSError as error:
            raise BrokenError(why(error), begun=isinstance(error, TimeoutError)) from None
        return Answer(self._reader, status, headers, self._there)

    def close(self) -> None:
        """Close the connection, whoever reads from it."""
        self._reader.close()
        self._made.close()

    def cut(self) -> None:
        """Let whoever waits for an answer wait no longer."""
        try:
            self._made.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def _head(self) -> tuple[int, dict[str, str]]:
        lines = self._lines()
        version, _, rest = lines[0].partition(" ")
        code = rest[:3]
        if not version.startswith("HTTP/1.") or not code.isdigit():
            raise BrokenError("the answer is no HTTP")
        headers = {"connection": "close"} if version == "HTTP/1.0" else {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise BrokenError(_ENDLESS)
            headers[name.lower()] = value.strip()
        return int(code), headers

    def _lines(self) -> list[str]:
        """Read a head, mostly in one go: it lies in the buffer, whole, once its beginning does."""
        there = self._reader.peek()
        end = there.find(_END)
        self._there = len(there) - end - len(_END) if end >= 0 else 0
        if end >= 0:
            return self._reader.read(end + len(_END))[:end].decode("latin-1").split("\r\n")
        if not there:
            raise BrokenError("the server closed the connection", begun=False)
        lines = [self._line()]
        while lines[0].startswith("HTTP/1.") and (line := self._line()):
            lines.append(line)
            if len(lines) > MAX_LINES:
                raise BrokenError(_ENDLESS)
        return lines

    def _line(self) -> str:
        line = self._reader.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise BrokenError(_ENDLESS)
        return line.decode("latin-1").rstrip("\r\n")


class Answer:
    """
    An answer, whose body is still to be read.

    :param headers: By their names in lower case.
    :param there:   Bytes behind its head that have come already.
    """

    def __init__(self, reader: BufferedReader, status: int, headers: dict[str, str], there: int = 0) -> None:
        self._reader, self.status, self.headers = reader, status, headers
        self._chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        told = headers.get("content-length", "")
        self.length = int(told) if told.isascii() and told.isdigit() and not self._chunked else None
        self._left = 0 if self._chunked or status in _NO_BODY else self.length
        self._ended = status in _NO_BODY

        self.is_here = self.length is not None and self.length <= there

    @property
    def stays(self) -> bool:
        """Whether the connection may be asked again: the body was read to its end, and the server keeps it."""
        whole = self._ended if self._chunked or self.length is None else self._left == 0
        return whole and self.length is not None and self.headers.get("connection", "").lower() != "close"

    def into(self, view: memoryview) -> int:
        """
        Fill a buffer; return how many bytes came, 0 at the end.

        :raises BrokenError: The connection broke, or the body ended early.
        """
        try:
            return self._into(view)
        except OSError as error:
            raise BrokenError(why(error)) from None

    def _into(self, view: memoryview) -> int:
        if self._ended:
            return 0
        if self._chunked and not self._left:
            self._left = self._chunk()
        if self._left == 0:
            self._ended = True
            return 0
        wanted = len(view) if self._left is None else min(len(view), self._left)
        came = self._reader.readinto(view[:wanted])
        if self._left is None:
            self._ended = not came
            return came
        self._left -= came
        if came < wanted:
            raise BrokenError("the connection was closed in the middle")
        if self._chunked and self._left == 0:
            self._reader.readline(MAX_LINE)
        return came

    def read(self, most: int) -> bytes:
        """Return the beginning of the body."""
        buffer = bytearray(most)
        at = 0
        with Away():
            while came := self.into(memoryview(buffer)[at:]) if at < most else 0:
                at += came
        return bytes(buffer[:at])

    def _chunk(self) -> int:
        """Return the size of the next chunk; behind the last one there may be more headers."""
        line = self._reader.readline(MAX_LINE).partition(b";")[0].strip()
        try:
            size = int(line, 16)
        except ValueError:
            raise BrokenError("a chunk of the answer has no size") from None
        while size == 0 and self._reader.readline(MAX_LINE) not in {b"\r\n", b"\n", b""}:
            continue
        return size
