"""The lines of an object, plain or gzip, from any place: some at a time, with the place after them."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import ClientPayloadError
from botocore.exceptions import BotoCoreError, ClientError
from isal import isal_zlib

from processor.errors import RetryableError, SourceRefusedError, cause_code, error_code, from_client_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

BLOCK = 4 << 20  # bytes of one request
AHEAD = 3  # requests under way while a block is worked on
MAX_LINE = 1 << 20
MAX_QUOTED = 1 << 17  # bytes of a line of CSV that goes over several: the csv module's own limit of a field
GZIP = b"\x1f\x8b"
_TRIES = 4
_DAMAGED: tuple[Any, ...] = (isal_zlib.error,)
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


@dataclass(slots=True)
class ObjectLines:
    """
    One object that is read to its end; if the object changes before the end, reading fails.

    :param client:  S3 client.
    :param etag:    ETag of the object when it was first read; empty before.
    :param md5:     Checksum that its bytes must have, in hexadecimal digits.
    """

    client: Any
    bucket: str
    key: str
    etag: str = ""
    md5: str | None = None
    size: int = 0

    def __str__(self) -> str:
        """Return the place."""
        return f"s3://{self.bucket}/{self.key}" if self.bucket else self.key

    async def open(self) -> None:
        """
        Look the object up.

        :raises SourceRefusedError: The object does not exist, or has changed.
        """
        try:
            head = await self.client.head_object(Bucket=self.bucket, Key=self.key)
        except (ClientError, BotoCoreError) as error:
            if cause_code(error) in {"404", "NoSuchKey"}:
                raise SourceRefusedError(f"{self} does not exist") from error
            raise from_client_error(error, f"read {self}") from error
        etag = head.get("ETag", "").removeprefix('"').removesuffix('"')
        if self.etag not in {"", etag}:
            raise SourceRefusedError(
                f"{self} has changed since the job began: bring the former one back, or start a new job"
            )
        self.etag, self.size = etag, head["ContentLength"]

    async def first_line(self) -> bytes:
        """Return the first line, which shows the form of the others."""
        async with aclosing(self.lines(0, 1)) as found:
            async for lines, _ in found:
                return lines[0] if lines else b""
        return b""

    async def lines(self, start: int, most: int, *, quoted: bool = False) -> AsyncGenerator[tuple[list[bytes], int]]:
        """
        Yield lines without their ends, each time with the offset after them.

        :param start:  Offset of a line's beginning, in decompressed bytes.
        :param most:   How many lines at once.
        :param quoted: A line that ends within double quotes continues in the next, as in CSV.
        :raises SourceRefusedError: The object is damaged or has changed, or a line is too long.
        """
        rest, offset, batch, size, is_open = b"", start, list[bytes](), 0, False
        async with aclosing(self._from(start)) as blocks:
            async for block in blocks:
                *whole, rest = (rest + block).split(b"\n")
                if len(rest) > MAX_LINE:
                    raise SourceRefusedError(f"{self} has a line of more than {MAX_LINE:,} bytes")
                for line in whole:
                    size += len(line) + 1
                    self._add(line, batch, is_open=is_open)
                    is_open ^= quoted and line.count(b'"') % 2 == 1
                    if len(batch) >= most and not is_open:
                        offset += size
                        yield batch, offset
                        batch, size = [], 0
        if rest:
            size += len(rest)
            self._add(rest, batch, is_open=is_open)
        if batch:
            yield batch, offset + size

    def _add(self, line: bytes, batch: list[bytes], *, is_open: bool) -> None:
        """Add a line, or continue the last one, within whose double quotes it begins."""
        if not is_open:
            batch.append(line)
            return
        batch[-1] += b"\n" + line
        if len(batch[-1]) > MAX_QUOTED:
            raise SourceRefusedError(f"{self} has a double quote that is not closed")

    async def _from(self, start: int) -> AsyncGenerator[bytes]:
        """Yield the decompressed bytes from an offset on: gzip is read again from its beginning."""
        is_gzip = self.size > 0 and (await self.read(0, min(self.size, len(GZIP)))) == GZIP
        unpack = _Gzip() if is_gzip else None
        digest = hashlib.md5(usedforsecurity=False)
        place, skip = (0, start) if is_gzip or self.md5 else (start, 0)
        async with aclosing(self._blocks(place)) as blocks:
            async for block in blocks:
                digest.update(block)
                for data in unpack.parts(block, self) if unpack else (block,):
                    kept = data[skip:]
                    skip -= len(data) - len(kept)
                    if kept:
                        yield kept
        if unpack is not None and not unpack.is_whole:
            raise SourceRefusedError(f"{self} is cut off: its gzip stream has no end")
        self._compare(digest.hexdigest())

    async def _blocks(self, place: int) -> AsyncGenerator[bytes]:
        """Yield the bytes from a place on; the first block comes alone, since some callers need no more."""
        asked = deque[asyncio.Task[bytes]]()
        try:
            for start in range(place, self.size, BLOCK):
                asked.append(asyncio.create_task(self.read(start, min(self.size, start + BLOCK))))
                if start == place or len(asked) > AHEAD:
                    yield await asked.popleft()
            while asked:
                yield await asked.popleft()
        finally:
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def check_md5(self) -> None:
        """
        Compare the bytes with the checksum that they must have, where there is one.

        :raises SourceRefusedError: The checksum differs.
        """
        if self.md5 is None:
            return
        digest = hashlib.md5(usedforsecurity=False)
        for place in range(0, self.size, BLOCK):
            digest.update(await self.read(place, min(self.size, place + BLOCK)))
        self._compare(digest.hexdigest())

    def _compare(self, digest: str) -> None:
        if self.md5 is not None and digest != self.md5.lower():
            raise SourceRefusedError(f"{self} is not the file that its report names: the MD5 checksum differs")

    async def read(self, first: int, end: int) -> bytes:
        """
        Read some bytes; a body that breaks off is read again.

        :param end: Offset after the last byte.
        :raises SourceRefusedError: The object has changed, or S3 refuses.
        :raises RetryableError: A fault outlived the retries, or other bytes came.
        """
        for left in reversed(range(_TRIES)):
            try:
                found = await self.client.get_object(
                    Bucket=self.bucket, Key=self.key, Range=f"bytes={first}-{end - 1}", **self._unchanged
                )
                body = bytes(await found["Body"].read())
            except ClientError as error:
                if error_code(error) in {"PreconditionFailed", "412"}:
                    raise SourceRefusedError(f"{self} has changed while the job read it") from error
                raise from_client_error(error, f"read {self}") from error
            except (BotoCoreError, ClientPayloadError) as error:
                if not left:
                    raise from_client_error(error, f"read {self}") from error
                continue
            if len(body) == end - first:
                return body
            if len(body) == self.size:  # a store without ranges
                return body[first:end]
        raise RetryableError(f"cannot read {self}: the bytes that came are not those that were requested")

    @property
    def _unchanged(self) -> dict[str, str]:
        """The condition that the object is still the one that was looked up; a weak ETag, a proxy's, proves nothing."""
        return {} if self.etag in {"", "*"} or self.etag.startswith("W/") else {"IfMatch": f'"{self.etag}"'}


class _Gzip:
    """Unpacks gzip, of several members too, a bounded piece at a time."""

    def __init__(self) -> None:
        self._stream: Any = None

    @property
    def is_whole(self) -> bool:
        """Whether the last member has ended."""
        return self._stream is None

    def parts(self, block: bytes, source: object) -> Iterator[bytes]:
        """
        Yield what a block unpacks to, as much at a time as a block has: a few bytes may unpack to gigabytes.

        :raises SourceRefusedError: The stream is damaged.
        """
        is_full = False
        while block or is_full:
            self._stream = self._stream or isal_zlib.decompressobj(_GZIP_WINDOW)
            try:
                found = self._stream.decompress(block, BLOCK)
            except _DAMAGED as error:
                raise SourceRefusedError(f"{source} is a damaged gzip stream") from error
            block, is_full = self._stream.unconsumed_tail, len(found) == BLOCK  # more may wait in the stream itself
            if self._stream.eof:
                block, is_full, self._stream = self._stream.unused_data, False, None
            yield found
