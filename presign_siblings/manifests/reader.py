"""Read a manifest from a file, S3 or a URL, plain or gzip, line by line: memory stays flat whatever its size."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from presign_siblings.errors import CommandError, NotFoundError, WrongUseError
from presign_siblings.manifests.entry import MAX_LINE, Entry
from presign_siblings.manifests.location import STDIN, S3Place, shown
from processor.causes import why
from processor.errors import error_code
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

    from presign_siblings.manifests.location import Place

GZIP = b"\x1f\x8b"
_GONE = frozenset({"404", "NoSuchKey", "NoSuchBucket"})


class Readable(Protocol):
    """What bytes come from: a file, an answer of S3 or of HTTP."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most that many bytes; empty at the end."""


class Counted(io.RawIOBase):
    """
    A stream that counts its bytes, and knows whether it ended too early.

    :param size: Bytes that it must have; ``None`` when that is unknown.
    """

    def __init__(self, stream: Readable, size: int | None) -> None:
        super().__init__()
        self._stream, self.size, self.seen = stream, size, 0

    def readable(self) -> bool:
        """Return that the stream is readable."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read bytes into a buffer."""
        data = self._stream.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self.seen += len(data)
        if not data and self.size is not None and self.seen < self.size:
            raise CommandError(f"the manifest broke off after {self.seen:,} of {plural(self.size, 'byte')}")
        return len(data)


@contextmanager
def opened(place: Place, s3: Callable[[], S3Client]) -> Iterator[Counted]:
    """
    Open a manifest.

    :param s3: Makes a client, where the place is in S3.
    :raises NotFoundError: The manifest does not exist.
    :raises CommandError: The manifest may not be read.
    """
    if isinstance(place, Path):
        with _file(place) as file:
            yield Counted(file, place.stat().st_size)
    elif isinstance(place, S3Place):
        answer = _object(place, s3)
        with answer["Body"] as body:
            yield Counted(body, answer.get("ContentLength"))
    elif place == STDIN:
        yield Counted(sys.stdin.buffer, None)
    else:
        with _fetched(place) as answered:
            yield answered


def _file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise NotFoundError(f"no file {str(path)!r}") from error


def _object(place: S3Place, s3: Callable[[], S3Client]) -> GetObjectOutputTypeDef:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - a local file need not wait for it

    if not place.key:
        raise WrongUseError(f"{place} names no manifest: s3://bucket/key")
    client = s3()
    try:
        return client.get_object(Bucket=place.bucket, Key=place.key)
    except ClientError as error:
        kind = NotFoundError if error_code(error) in _GONE else CommandError
        raise kind(f"cannot read {place}: {why(error)}") from error


@contextmanager
def _fetched(url: str) -> Iterator[Counted]:
    from http.client import HTTPException  # noqa: PLC0415 - as below

    from presign_siblings.manifests import web  # noqa: PLC0415 - urllib, which a local file need not wait for

    try:
        with web.response(url) as response:
            yield Counted(response, response.length)
    except HTTPException:
        raise CommandError(f"cannot read {shown(url)}: the answer broke off, or is not HTTP") from None


def lines(stream: Counted) -> Iterator[bytes]:
    """
    Yield the lines, whether the bytes are plain or gzip; a line without an end is cut at ``MAX_LINE``.

    :raises CommandError: The gzip stream is damaged, or cut off.
    """
    buffered = io.BufferedReader(stream, 1 << 18)
    unpack = _unpacked if buffered.peek(len(GZIP)).startswith(GZIP) else _plain
    return unpack(buffered, stream)


def _plain(text: BinaryIO, _: Counted) -> Iterator[bytes]:
    while line := text.readline(MAX_LINE + 1):
        yield line


def _unpacked(compressed: BinaryIO, stream: Counted) -> Iterator[bytes]:
    import gzip  # noqa: PLC0415 - as below

    from isal import igzip, isal_zlib  # noqa: PLC0415 - a plain manifest need not wait for them

    broken: tuple[Any, ...] = (EOFError, gzip.BadGzipFile, isal_zlib.error)
    try:
        yield from _plain(io.BufferedReader(igzip.GzipFile(fileobj=compressed), 1 << 18), stream)  # type: ignore[no-untyped-call]
    except broken as error:
        raise CommandError(f"the gzip stream is damaged after {plural(stream.seen, 'byte')}: {error}") from error


def numbered(stream: Counted) -> Iterator[tuple[int, Entry]]:
    """
    Yield the entries of a manifest in its order, with the numbers of their lines; blank lines are passed over.

    :raises CommandError: A line is malformed.
    """
    for number, line in enumerate(lines(stream), 1):
        if line.isspace():
            continue
        try:
            entry = Entry.parse(line)
        except ValueError as error:
            raise CommandError(f"line {number:,} of the manifest {error}: verify shows all") from None
        yield number, entry


def entries(stream: Counted) -> Iterator[Entry]:
    """
    Yield the entries of a manifest in order, each key once.

    :raises CommandError: A line is malformed, or out of order.
    """
    last = ""
    for number, entry in numbered(stream):
        if entry.key <= last:
            raise CommandError(
                f"line {number:,} of the manifest is out of order, or its key comes twice: verify shows all"
            )
        last = entry.key
        yield entry
