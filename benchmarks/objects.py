"""
A local S3 that serves objects as fast as a Python process can: small ones from memory, large ones by ``sendfile``.

It answers GET with and without a range, HEAD and ListObjectsV2, path style, and checks no signature. Large objects may
come at the pace of a network.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BUCKET = "bench"
IN_MEMORY = 1 << 20  # bytes; larger objects are files
GIGABIT = 125_000_000  # bytes a second
BLOCKS = 1000  # that a network carries in a second: its answers take turns
LATE = 0.1  # seconds that a server which woke late catches up
_MEMORY = Path("/dev/shm")  # noqa: S108 a file system in memory, where there is one
SHARED = _MEMORY if _MEMORY.is_dir() else None
_RANGE = re.compile(rb"\r\nrange: *bytes=(\d+)-(\d*)", re.IGNORECASE)
_DATE = "Wed, 01 Apr 2026 06:30:15 GMT"


def key_of(number: int) -> str:
    """Return the key of an object."""
    return f"{number // 1000:03}/{number:06}.pdf"


def content(number: int, size: int) -> bytes:
    """Return the bytes of an object: its own number, over and over."""
    block = b"%016d" % number
    return (block * (size // len(block) + 1))[:size]


@dataclass(frozen=True, slots=True)
class Stored:
    """
    An object.

    :param file: The file of a large one.
    """

    size: int
    etag: str
    body: bytes
    file: IO[bytes] | None


class Objects:
    """
    The objects of the bucket.

    :param folder: Where large ones are written; a file system in memory is best.
    """

    def __init__(self, count: int, size: int, folder: Path) -> None:
        self.by_path: dict[bytes, Stored] = {}
        for number in range(count):
            body, file = content(number, size), None
            etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
            if size > IN_MEMORY:
                path = folder / str(number)
                path.write_bytes(body)
                body, file = b"", path.open("rb")
            self.by_path[f"/{BUCKET}/{key_of(number)}".encode()] = Stored(size, etag, body, file)

    def page(self) -> bytes:
        """Return a page of ListObjectsV2 that lists all of them: clients accept more than 1,000."""
        rows = "".join(
            f"<Contents><Key>{path.decode().removeprefix(f'/{BUCKET}/')}</Key><Size>{each.size}</Size>"
            f'<LastModified>2026-04-01T06:30:15.000Z</LastModified><ETag>"{each.etag}"</ETag>'
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for path, each in self.by_path.items()
        )
        head = f"<Name>{BUCKET}</Name><Prefix></Prefix><KeyCount>{len(self.by_path)}</KeyCount>"
        page = f"<ListBucketResult>{head}<IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{page}'.encode()


class Network:
    """
    The network that all connections share.

    :param rate: Bytes a second; 0 sets no limit.
    """

    def __init__(self, rate: int) -> None:
        self._rate, self._free_at = rate, 0.0
        self.block = rate // BLOCKS or sys.maxsize

    async def carry(self, size: int) -> None:
        """Wait until a number of bytes are through."""
        if self._rate:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - LATE) + size / self._rate
            await asyncio.sleep(self._free_at - now)


class Connection(asyncio.Protocol):
    """A keep-alive connection of a client that requests objects."""

    def __init__(self, objects: Objects, network: Network) -> None:
        self._objects, self._network, self._buffer = objects, network, b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 a TCP server makes no other
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each complete request; clients send the next one only after the answer."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            request, self._buffer = self._buffer[: end + 2], self._buffer[end + 4 :]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        method, target, _ = request.split(b" ", 2)
        stored = self._objects.by_path.get(target.partition(b"?")[0])
        if stored is None:
            found = b"list-type=2" in target
            body = self._objects.page() if found else b"<Error><Code>NoSuchKey</Code></Error>"
            status = "200 OK" if found else "404 Not Found"
            self._transport.write(_head(status, len(body), "Content-Type: application/xml\r\n") + body)
            return
        wanted, first, end, status, more = _RANGE.search(request), 0, stored.size, "200 OK", ""
        if wanted:
            first, end = int(wanted[1]), min(int(wanted[2]) + 1, end) if wanted[2] else end
            status, more = "206 Partial Content", f"Content-Range: bytes {first}-{end - 1}/{stored.size}\r\n"
        facts = f'ETag: "{stored.etag}"\r\nLast-Modified: {_DATE}\r\nAccept-Ranges: bytes\r\n{more}'
        head = _head(status, end - first, facts)
        if method == b"HEAD":
            self._transport.write(head)
        elif stored.file is None:
            self._transport.write(head + stored.body[first:end])
        else:
            self._transport.write(head)
            task = asyncio.get_running_loop().create_task(self._send(stored.file, first, end - first))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, file: IO[bytes], first: int, size: int) -> None:
        with suppress(ConnectionError):  # the client has gone
            for at in range(first, first + size, self._network.block):
                count = min(self._network.block, first + size - at)
                await self._network.carry(count)
                await asyncio.get_running_loop().sendfile(self._transport, file, at, count)


def _head(status: str, size: int, facts: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nServer: stub\r\nContent-Length: {size}\r\n{facts}\r\n".encode()


async def _serve(count: int, size: int, rate: int) -> None:
    with tempfile.TemporaryDirectory(dir=SHARED) as folder:
        objects, network = Objects(count, size, Path(folder)), Network(rate)
        server = await asyncio.get_running_loop().create_server(lambda: Connection(objects, network), "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


def main() -> None:
    """Serve on loopback until killed; the first line printed is the port."""
    parser = argparse.ArgumentParser(description="a local S3 that gives objects")
    parser.add_argument("count", type=int)
    parser.add_argument("size", type=int)
    parser.add_argument("--rate", type=int, default=0, help="bytes a second of large objects")
    options = parser.parse_args()
    asyncio.run(_serve(options.count, options.size, options.rate))


if __name__ == "__main__":
    main()
