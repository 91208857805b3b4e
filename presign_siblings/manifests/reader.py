"""Read a manifest from a file, S3 or a URL, plain or gzip, line by line: memory stays flat whatever its size."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from presign_siblings.errors import CommandError, NotFoundError, WrongUseError
from presign_siblings.manifests.entry import MAX_LINE, Entry, is_signed
from presign_siblings.manifests.location import STDIN, S3Place, shown
from presign_siblings.words import unspoken
from processor.causes import NETWORK, place, why
from processor.errors import error_code
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse
    from urllib.error import HTTPError

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
        if not place.key:
            raise WrongUseError(f"{place} names no manifest: s3://bucket/key")
        answer = _object(place, s3())
        with answer["Body"] as body:
            yield Counted(body, answer.get("ContentLength"))
    elif place == STDIN:
        yield Counted(sys.stdin.buffer, None)
    else:
        from http.client import HTTPException  # noqa: PLC0415 - as below

        try:
            with _response(place) as response:
                yield Counted(response, response.length)
        except HTTPException:
            raise CommandError(f"cannot read {shown(place)}: the answer broke off, or is not HTTP") from None


def _file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise NotFoundError(f"no file {str(path)!r}") from error


def _object(place: S3Place, client: S3Client) -> GetObjectOutputTypeDef:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - a local file need not wait for it

    try:
        return client.get_object(Bucket=place.bucket, Key=place.key)
    except ClientError as error:
        kind = NotFoundError if error_code(error) in _GONE else CommandError
        raise kind(f"cannot read {place}: {why(error)}") from error


def _response(url: str) -> HTTPResponse:
    import urllib.error  # noqa: PLC0415 - as below
    import urllib.request  # noqa: PLC0415 - as below
    from http.client import InvalidURL  # noqa: PLC0415 - as below

    from presign_siblings.certificates import tls  # noqa: PLC0415 - as above
    from presign_siblings.manifests.network import proxies, proxy_of, read_seconds  # noqa: PLC0415 - as above

    through = urllib.request.ProxyHandler(proxies()), urllib.request.HTTPSHandler(context=tls())
    try:
        if (reason := unspoken(proxy_of(url))) is not None:
            raise CommandError(f"cannot read {shown(url)}: {reason}")
        answer: HTTPResponse = urllib.request.build_opener(*through).open(url, timeout=read_seconds())
    except urllib.error.HTTPError as refusal:
        with refusal:
            kind = NotFoundError if refusal.code == HTTPStatus.NOT_FOUND else CommandError
            raise kind(f"{shown(url)} answered {_told(url, refusal)}") from None
    except urllib.error.URLError as error:
        reason = why(error).replace(NETWORK, "check the URL and the network")  # no endpoint is involved
        by = "" if (proxy := proxy_of(url)) is None else f" through the proxy {place(proxy)}"
        raise CommandError(f"cannot read {shown(url)}{by}: {reason}") from None
    except (InvalidURL, ValueError):
        raise WrongUseError(
            f"{shown(url)!r} is not a URL that can be asked for: is it whole, and on one line?"
        ) from None
    return answer


def _told(url: str, answer: HTTPError) -> str:
    """Return what a store answers in place of a manifest: its code and words, and what may help."""
    from presign_siblings.manifests.refusals import READ_BYTES, refusal  # noqa: PLC0415 - mostly not needed

    if "X-Amz-" in url and not is_signed(url.partition("?")[2]):
        return f"{answer.code}; the URL has no signature: in quotes, or the shell cuts it at its first &"
    headers = {name.lower(): value for name, value in answer.headers.items()}
    told = refusal(answer.code, headers, answer.read(READ_BYTES))
    is_bare = told.message == f"HTTP {HTTPStatus.FORBIDDEN:d}"
    return told.message + "; a presigned URL dies with its expiry or its session" * is_bare


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
