"""Fetch presigned URLs, many at once; no URL is in any message."""

from __future__ import annotations

import zlib
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from threading import local
from typing import TYPE_CHECKING, Self

from presign_siblings.manifests import parts
from presign_siblings.manifests.checksums import Checksums, etag_of, may_be_md5
from presign_siblings.manifests.fetched import Got, ObjectFacts
from presign_siblings.manifests.gunzip import Gunzip
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
        """Whether further calls are refused."""
        return self._requests.is_closed

    def stop(self) -> None:
        """Break off every wait for an answer, and refuse further calls."""
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

        :param slots: Connections for the parts of a large object.
        :param listed: Its size by the manifest: the only sign of a cut where an answer does not show its end.
        """
        begun = 0 if sink is None else sink.begun
        headers = {} if sink is None or not begun else _of_range(begun, sink.tail, sink.etag)
        expected = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, *CHANGED_STATUSES) if begun else (HTTPStatus.OK,)
        asked = Asked(self._requests, url, headers)
        yield asked.connection
        with self._answered(asked, expected) as answer:
            if sink is None or not begun or continues(answer, sink):
                got = self._received(answer, sink, url, slots)
                if answer.headers.get("content-encoding") == "gzip":
                    got = self._unpacked(got, answer, sink, url, listed)
                if listed is not None and got.size < listed and not (answer.shows_its_end or got.is_proven):
                    fault = f"{got.size:,} of {plural(listed, 'listed byte')} came, and the answer did not tell its end"
                    raise FetchError(fault, code=CUT, passing=True)
                return got
        sink.begun = 0  # the object has changed
        return (yield from self.getting(url, sink, slots, listed))

    def _received(self, answer: Answer, sink: Sink | None, url: str, slots: Slots | None) -> Got:
        """Read an answer to its end, or to the parts that other connections bring."""
        at = sink.begun if sink is not None and answer.status == HTTPStatus.PARTIAL_CONTENT else 0
        facts = self._facts(answer, at)
        checksums = Checksums(answer.headers if self._checks else {}, md5=facts.is_md5)
        if sink is not None:
            sink.begin(at, facts, checksums.update)
        with nullcontext() if answer.is_here and self._pace is None else Away():
            if sink is not None and slots is not None and self._is_large(answer, facts, sink):
                part = partial(self._part, url, facts, sink)
                others = parts.Parts(at, sink.tail or facts.size, part, sink.note_ends, slots)
                came, rest = self._head(answer, checksums, sink, others), others.rest
            else:
                came = self._take(answer, checksums, sink)
                rest = facts.size if sink is None or sink.tail is None else sink.tail
            there = at + came + facts.size - rest
            if sink is not None and rest < facts.size and checksums.are_any:
                sink.read(rest, facts.size, checksums.update)
        if size_of(answer, at) is not None and there != facts.size:
            raise FetchError(f"{there:,} of {plural(facts.size, 'byte')} came", code=CUT, passing=True)
        return Got(there, facts.etag, facts.is_md5, checksums.md5, checksums.agree())

    def _unpacked(self, got: Got, answer: Answer, sink: Sink | None, url: str, listed: int | None) -> Got:
        """
        Return an object that a proxy has compressed on the way, unpacked, where its checksum or its size proves that.

        An object that is stored compressed has the same header, but its checksum and its size are those of the packed
        bytes.
        """
        if got.is_proven or (got.is_proven is None and listed in {None, got.size}):
            return got
        checksums, size = Checksums(answer.headers if self._checks else {}, md5=got.is_md5), 0

        def take(piece: memoryview) -> None:
            nonlocal size
            checksums.update(piece)
            size += len(piece)

        gunzip = Gunzip(take)
        try:
            with Away():
                self._read_again(got, sink, url, gunzip.update)
        except zlib.error:
            return got
        found = replace(got, size=size, md5=checksums.md5, agrees=checksums.agree())
        is_object = size == listed if found.is_proven is None else found.is_proven
        if not (gunzip.is_whole and is_object):
            return got
        if sink is not None:
            with Away():
                sink.unpack()
        return found

    def _read_again(self, got: Got, sink: Sink | None, url: str, update: Callable[[memoryview], None]) -> None:
        """Give the bytes that came to ``update``; those that were not stored are fetched once more."""
        if sink is not None:
            sink.read(0, got.size, update)
            return
        with self._answered(Asked(self._requests, url, {}), (HTTPStatus.OK,)) as answer:
            for piece in answer.pieces(self._buffer()):
                update(piece)

    def _is_large(self, answer: Answer, facts: ObjectFacts, sink: Sink) -> bool:
        """Whether other connections are to bring parts of an object: its length and its ETag are known."""
        left = (sink.tail or facts.size) - sink.begun
        return left >= parts.SPLIT and answer.length is not None and facts.etag != "" and self._pace is None

    def _head(self, answer: Answer, checksums: Checksums, sink: Sink, others: parts.Parts) -> int:
        """Take bytes up to those that other connections bring; return how many."""
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

    def _part(
        self, url: str, facts: ObjectFacts, sink: Sink, first: int, end: int, on_their_way: Callable[[], None]
    ) -> None:
        """
        Bring a part of an object.

        :raises FetchError: The part did not come, or belongs to another object.
        """
        with self._answered(Asked(self._requests, url, _of_range(first, end, facts.etag)), _OF_PARTS) as answer:
            of_range = answer.headers.get("content-range", "").startswith(f"bytes {first}-{end - 1}/")
            if not of_range or etag_of(answer.headers) != facts.etag or answer.length != end - first:
                raise FetchError(_OTHERWISE, code=CHANGED, passing=True)
            on_their_way()
            for piece in answer.pieces(self._buffer()):
                sink.put(first, piece)
                first += len(piece)

    def _take(self, answer: Answer, checksums: Checksums, sink: Sink | None) -> int:
        """Take the whole answer; return how many bytes came."""
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

    def read_facts(self, url: str) -> Steps[ObjectFacts]:
        """
        Ask for an object's facts: a presigned GET allows no HEAD, so its first byte is asked for.

        :raises FetchError: The answer does not say the size.
        """
        expected = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        asked = Asked(self._requests, url, {"Range": "bytes=0-0"})
        yield asked.connection
        with self._answered(asked, expected) as answer:
            if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                return ObjectFacts(0, "", is_md5=False)  # its other headers describe the error
            if answer.status == HTTPStatus.PARTIAL_CONTENT:
                answer.read(1)
            return self._facts(answer, 0)

    def _facts(self, answer: Answer, at: int) -> ObjectFacts:
        """Return an answer's facts; without a size, the bytes that are stored already count as the size."""
        size, etag = size_of(answer, at), etag_of(answer.headers)
        return ObjectFacts(at if size is None else size, etag, self._checks and may_be_md5(etag, answer.headers))

    @contextmanager
    def _answered(self, asked: Asked, expected: tuple[HTTPStatus, ...]) -> Iterator[Answer]:
        """Wait for an answer; an object that is stored compressed comes so, from Google's XML interface too."""
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
