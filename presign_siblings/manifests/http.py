"""Fetch presigned URLs, many at once; no URL is in any message."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from http import HTTPStatus
from threading import local
from typing import TYPE_CHECKING, Self

from presign_siblings.manifests import parts
from presign_siblings.manifests.checksums import Checksums, etag_of, may_be_md5
from presign_siblings.manifests.fetched import Got, Told
from presign_siblings.manifests.object_answer import CHANGED_STATUSES, continues, is_unpacked, refuse, size_of
from presign_siblings.manifests.open_files import allow
from presign_siblings.manifests.requests import Asked, FetchError, Requests
from presign_siblings.manifests.turns import at_once
from presign_siblings.manifests.workers import Away
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.manifests.answer import Answer
    from presign_siblings.manifests.fetched import Sink
    from presign_siblings.manifests.pace import Pace
    from presign_siblings.manifests.parts import Slots
    from presign_siblings.manifests.turns import Steps

PIECE = 1 << 18
CUT = "cut off"
CHANGED = "changed"
_OTHERWISE = "the object changed while its parts came, or its server gives no parts any more"
_OF_PARTS = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.PRECONDITION_FAILED)


class Fetcher:
    """
    An HTTP client for presigned URLs, for threads: it sends each URL unchanged, and follows no redirect.

    :param pace:   Bytes a second at most.
    :param checks: Whether the bytes are compared with checksums, and not only counted.
    :param concurrency: Objects at once.
    """

    def __init__(self, pace: Pace | None = None, *, checks: bool = True, concurrency: int = 1) -> None:
        self._pace, self._checks, self._concurrency = pace, checks, concurrency
        self._requests, self._local = Requests(), local()
        self._piece = PIECE if pace is None else min(PIECE, pace.piece)

    def __enter__(self) -> Self:
        """Open the client; connections are opened as they are needed."""
        allow(self._concurrency)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self._requests.close()

    @property
    def is_stopped(self) -> bool:
        """Whether no further call is answered."""
        return self._requests.is_closed

    def stop(self) -> None:
        """Let every answer that is waited for break off, and answer no further call."""
        self._requests.stop()

    def get(self, url: str, sink: Sink | None = None) -> Got:
        """
        Fetch an object, from where an earlier try stopped.

        :raises FetchError: The object did not come, or did not come whole.
        """
        return at_once(self.getting(url, sink))

    def getting(
        self, url: str, sink: Sink | None = None, slots: Slots | None = None, listed: int | None = None
    ) -> Steps[Got]:
        """
        Fetch an object, as ``get`` does, in steps between which its answer is waited for.

        :param slots: For the parts of a large object.
        :param listed: Its size as its line tells it: all that shows a cut where an answer does not tell its end.
        """
        begun = 0 if sink is None else sink.begun
        headers = {} if sink is None or not begun else _of_range(begun, sink.tail, sink.etag)
        expected = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, *CHANGED_STATUSES) if begun else (HTTPStatus.OK,)
        asked = Asked(self._requests, url, headers)
        yield asked.connection
        with self._answered(asked, expected) as answer:
            if sink is None or not begun or continues(answer, sink):
                got = self._received(answer, sink, url, slots)
                if listed is not None and got.size < listed and not (answer.tells_its_end or got.is_proven):
                    told = f"{got.size:,} of {plural(listed, 'listed byte')} came, and the answer did not tell its end"
                    raise FetchError(told, code=CUT, passing=True)
                return got
        sink.begun = 0  # the object has changed
        return (yield from self.getting(url, sink, slots, listed))

    def _received(self, answer: Answer, sink: Sink | None, url: str, slots: Slots | None) -> Got:
        """Read an answer to its end, or to the parts that others bring."""
        at = sink.begun if sink is not None and answer.status == HTTPStatus.PARTIAL_CONTENT else 0
        told = self._told(answer, at)
        checksums = Checksums(answer.headers if self._checks else {}, md5=told.is_md5)
        if sink is not None:
            sink.begin(at, told, checksums.update)
        with nullcontext() if answer.is_here and self._pace is None else Away():
            if sink is not None and slots is not None and self._is_large(answer, told, sink):
                part = partial(self._part, url, told, sink)
                others = parts.Parts(at, sink.tail or told.size, part, sink.note_ends, slots)
                came, rest = self._head(answer, checksums, sink, others), others.rest
            else:
                others, came = None, self._take(answer, checksums, sink)
                rest = told.size if sink is None or sink.tail is None else sink.tail
            there = at + came + told.size - rest
            if sink is not None and rest < told.size and checksums.are_any:
                sink.read(rest, told.size, checksums.update)
        if size_of(answer, at) is not None and there != told.size:
            raise FetchError(f"{there:,} of {plural(told.size, 'byte')} came", code=CUT, passing=True)
        came += 0 if others is None else others.came
        return Got(there, told.etag, told.is_md5, checksums.md5, checksums.agree(), came)

    def _is_large(self, answer: Answer, told: Told, sink: Sink) -> bool:
        """Whether others are to bring parts of an object: where its length is known, and what would change with it."""
        left = (sink.tail or told.size) - sink.begun
        return left >= parts.SPLIT and answer.length is not None and told.etag != "" and self._pace is None

    def _head(self, answer: Answer, checksums: Checksums, sink: Sink, others: parts.Parts) -> int:
        """Take what comes until it meets what others bring; return how many bytes it was."""
        came = 0
        try:
            for piece in answer.pieces(self._buffer()):
                left = piece
                while left:
                    count = others.room(len(left))
                    if not count and others.are_done():
                        return came
                    checksums.update(left[:count])
                    sink.take(left[:count])
                    others.wrote(count)
                    came, left = came + count, left[count:]
            others.are_done()
        finally:
            others.end()
        return came

    def _part(self, url: str, told: Told, sink: Sink, first: int, end: int, on_their_way: Callable[[], None]) -> None:
        """
        Bring a part of an object.

        :raises FetchError: It did not come, or is one of another object.
        """
        with self._answered(Asked(self._requests, url, _of_range(first, end, told.etag)), _OF_PARTS) as answer:
            of_range = answer.headers.get("content-range", "").startswith(f"bytes {first}-{end - 1}/")
            if not of_range or etag_of(answer.headers) != told.etag or answer.length != end - first:
                raise FetchError(_OTHERWISE, code=CHANGED, passing=True)
            on_their_way()
            for piece in answer.pieces(self._buffer()):
                sink.put(first, piece)
                first += len(piece)

    def _take(self, answer: Answer, checksums: Checksums, sink: Sink | None) -> int:
        """Take what comes, and return how many bytes it was."""
        came = 0
        for piece in answer.pieces(self._buffer()):
            came += len(piece)
            checksums.update(piece)
            if sink is not None:
                sink.take(piece)
            if self._pace is not None:
                self._pace.spend(len(piece))
        return came

    def _buffer(self) -> memoryview:
        """Return the buffer of this thread."""
        found: memoryview | None = getattr(self._local, "buffer", None)
        if found is None:
            found = self._local.buffer = memoryview(bytearray(self._piece))
        return found

    def telling(self, url: str) -> Steps[Told]:
        """
        Ask what an object is: a presigned GET allows no HEAD, so its first byte is asked for.

        :raises FetchError: The answer does not say the size.
        """
        expected = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        asked = Asked(self._requests, url, {"Range": "bytes=0-0"})
        yield asked.connection
        with self._answered(asked, expected) as answer:
            if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return Told(0, "", is_md5=False)  # what it tells besides is of the error
            if answer.status == HTTPStatus.PARTIAL_CONTENT:
                answer.read(1)
            return self._told(answer, 0)

    def _told(self, answer: Answer, at: int) -> Told:
        """Return what an answer tells; where it tells no size, that of what is there already."""
        size, etag = size_of(answer, at), etag_of(answer.headers)
        return Told(at if size is None else size, etag, self._checks and may_be_md5(etag, answer.headers))

    @contextmanager
    def _answered(self, asked: Asked, expected: tuple[HTTPStatus, ...]) -> Iterator[Answer]:
        """Wait for an answer; what is stored compressed comes as it is stored, from Google's XML interface too."""
        with asked as answer:
            refuse(answer, expected, asked.url)
            if not is_unpacked(answer):
                yield answer
                return
        with Asked(self._requests, asked.url, asked.headers | {"Accept-Encoding": "gzip"}) as answer:
            refuse(answer, expected, asked.url)
            yield answer


def _of_range(first: int, end: int | None, etag: str) -> dict[str, str]:
    """Return the headers that ask for a part of an object, and of no other object."""
    return {"Range": f"bytes={first}-{'' if end is None else end - 1}", "If-Match": f'"{etag}"'}
