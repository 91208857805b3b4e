"""Read a manifest from a file, S3 or a URL, plain or gzip, line by line: memory stays flat whatever its size."""

from __future__ import annotations

import io
import json
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote

from presign_siblings.errors import CommandError, NotFoundError, WrongUseError
from presign_siblings.manifests.location import STDIN, S3Place, shown
from presign_siblings.words import unspoken
from processor.causes import why
from processor.errors import error_code
from processor.page import FACTS, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_s3 import S3Client

from presign_siblings.manifests.location import Place
from processor.plural import plural

MAX_LINE = 1 << 16  # bytes; a key of 1,024 bytes, escaped, and its URL with a session token take a quarter of it
_BARE = ["key", "url"]
GZIP = b"\x1f\x8b"
_SIZED = re.compile(rb'\{"key": "(?:[^"\\]|\\.)*", "size": (\d+),')
_SIGNED = re.compile(r"(^|&)(X-Amz-)?Signature=")
_GONE = frozenset({"404", "NoSuchKey", "NoSuchBucket"})


@dataclass(frozen=True, slots=True)
class Entry(Line):
    """One line of a manifest that somebody has sent: nothing in it is believed."""

    @classmethod
    def parse(cls, line: bytes) -> Entry:
        """
        Read a line.

        :raises ValueError: The line is malformed; the message says why, without the line's content.
        """
        if b"\0" in line:  # JSON holds none
            raise ValueError("holds zero bytes: the file is UTF-16, as Windows saves it, or damaged")
        if line.startswith(b"<"):
            raise ValueError("is XML or HTML: an error, or a sign-in page, was stored in the manifest's place")
        if not line.endswith(b"\n"):
            cut = "is cut off" if line.startswith(b"{") else "is not JSON"
            raise ValueError(cut if len(line) <= MAX_LINE else f"is longer than {MAX_LINE} bytes")
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError("is not JSON") from None
        if isinstance(entry, dict) and list(entry) == _BARE and entry["key"]:
            key, url = entry["key"], entry["url"]
            if isinstance(key, str) and isinstance(url, str):
                return cls(key, url)  # as most lines are; what follows takes as long as all before it
        if not isinstance(entry, dict) or list(entry) != ["key", *(name for name in FACTS if name in entry), "url"]:
            raise ValueError(
                f"must have the fields key and url, with any of {', '.join(FACTS)} between them, and no others"
            )
        size = entry.get("size")
        texts = [value for name, value in entry.items() if name != "size" and (value is not None or name == "url")]
        if not entry["key"] or not all(isinstance(text, str) for text in texts):
            raise ValueError("has a key, url or fact that is not text")
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
            raise ValueError("has a size that is not a number of bytes")
        etag = entry.get("etag")
        return cls(**entry | ({} if etag is None else {"etag": etag.strip('"')}))

    @property
    def is_for_its_key(self) -> bool:
        """Whether the URL's path is the key, alone or after the bucket, and a signature follows."""
        before = self.before_key
        return before is not None and before.count("/") <= 1

    @property
    def before_key(self) -> str | None:
        """
        What stands before the key in the URL's path: nothing, the bucket, or the endpoint's own path and the bucket.

        ``None`` where the path does not end with the key, or no signature follows.
        """
        address, _, query = self.url.partition("?")
        path = unquote(address.partition("://")[2].partition("/")[2], errors="surrogateescape")
        before = path.removesuffix(self.key)
        of_key = path.endswith(self.key) and (not before or before.endswith("/"))
        return before if of_key and _SIGNED.search(query) is not None else None

    @property
    def bucket(self) -> str | None:
        """The bucket that the URL names: the first name in its path, or in its host; ``None`` where neither tells."""
        host, _, path = self.url.partition("?")[0].partition("://")[2].partition("/")
        path = unquote(path)
        if path != self.key:
            return path.removesuffix(f"/{self.key}") if path.endswith(f"/{self.key}") else None
        name, mark, _ = host.partition(".s3")
        return name if mark else None

    def differs(self, size: int, etag: str) -> bool:
        """Whether an object is another than the one that was listed, as far as the line says anything of it."""
        other_etag = self.etag is not None and etag != "" and etag != self.etag.lower()
        return (self.size is not None and size != self.size) or other_etag


class Counted(io.RawIOBase):
    """
    A stream that counts its bytes, and knows whether it ended too early.

    :param size: Bytes that it must have; ``None`` when that is unknown.
    """

    def __init__(self, stream: BinaryIO, size: int | None) -> None:
        super().__init__()
        self._stream, self.size, self.seen = stream, size, 0

    def readable(self) -> bool:
        """Return that the stream is readable."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read bytes into a buffer."""
        data = self._stream.read(len(buffer))
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
            yield Counted(cast("BinaryIO", body), answer.get("ContentLength"))
    elif place == STDIN:
        yield Counted(sys.stdin.buffer, None)
    else:
        from http.client import HTTPException  # noqa: PLC0415 - as below

        try:
            with _response(place) as response:
                length = response.headers.get("Content-Length")
                yield Counted(response, None if length is None else int(length))
        except HTTPException:
            raise CommandError(f"cannot read {shown(place)}: the answer broke off, or is not one of HTTP") from None


def _file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        raise NotFoundError(f"no file {path}") from error


def _object(place: S3Place, client: S3Client) -> dict[str, Any]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - a local file need not wait for it

    try:
        return dict(client.get_object(Bucket=place.bucket, Key=place.key))
    except ClientError as error:
        kind = NotFoundError if error_code(error) in _GONE else CommandError
        raise kind(f"cannot read {place}: {why(error)}") from error


def _response(url: str) -> Any:  # noqa: ANN401 - urllib's own
    import urllib.error  # noqa: PLC0415 - as below
    import urllib.request  # noqa: PLC0415 - as below
    from http.client import InvalidURL  # noqa: PLC0415 - as below

    from presign_siblings.certificates import tls  # noqa: PLC0415 - as above
    from presign_siblings.manifests.requests import proxy_of, read_seconds  # noqa: PLC0415 - as above

    try:
        if (told := unspoken(proxy_of(url))) is not None:
            raise CommandError(f"cannot read {shown(url)}: {told}")
        return urllib.request.urlopen(url, timeout=read_seconds(), context=tls())
    except urllib.error.HTTPError as refusal:
        with refusal:
            kind = NotFoundError if refusal.code == HTTPStatus.NOT_FOUND else CommandError
            raise kind(f"{shown(url)} answered {refusal.code}{_hint(url, refusal.code)}") from None
    except urllib.error.URLError as error:
        raise CommandError(f"cannot read {shown(url)}: {why(error)}") from None
    except (InvalidURL, ValueError):
        raise WrongUseError(
            f"{shown(url)!r} is not a URL that can be asked for: is it whole, and on one line?"
        ) from None


def _hint(url: str, status: int) -> str:
    if "X-Amz-" in url and _SIGNED.search(url.partition("?")[2]) is None:
        return "; the URL has no signature: in quotes, or the shell cuts it at its first &"
    return "; a presigned URL dies with its expiry or its session" if status == HTTPStatus.FORBIDDEN else ""


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


def total(stream: Counted) -> int | None:
    """
    Return the bytes of all objects of a manifest; ``None`` where a line does not tell its object's size.

    :raises CommandError: The gzip stream is damaged, or cut off.
    """
    found = 0
    for line in lines(stream):
        match = _SIZED.match(line)
        if match is None:
            return None
        found += int(match[1])
    return found


def entries(stream: Counted) -> Iterator[Entry]:
    """
    Yield the entries of a manifest in order, each key once.

    :raises CommandError: A line is malformed, or out of order.
    """
    last = ""
    for number, line in enumerate(lines(stream), 1):
        try:
            entry = Entry.parse(line)
        except ValueError as error:
            raise CommandError(f"line {number:,} of the manifest {error}: verify shows all") from None
        if entry.key <= last:
            raise CommandError(
                f"line {number:,} of the manifest is out of order, or its key comes twice: verify shows all"
            )
        last = entry.key
        yield entry
