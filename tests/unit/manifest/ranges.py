"""Ranges, a run and a store with parts of a few bytes, for the tests of the manifest."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from processor.job import Job, KeyRange
from processor.manifest import Body, S3Composer, S3PieceStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from processor.job import CommitState, Piece
    from processor.manifest import PieceStore, Whole
    from tests.fakes import FakeS3

PART = 64
RUN = "0123456789abcdef-0123456789abcdef"
ABOUT = {"count": "3", "expires-at": "2026-04-01T06:45:15Z"}


def partition(done: Iterable[bool]) -> list[KeyRange]:
    """Return ranges in key order, with descending numbers, as splits number them."""
    flags = list(done)
    bounds = ["", *(f"{number:03}" for number in range(1, len(flags))), None]
    return [
        KeyRange(len(flags) - index, str(bounds[index]), bounds[index + 1], str(bounds[index]), None, flag)
        for index, flag in enumerate(flags)
    ]


def finished(ranges: Iterable[KeyRange]) -> list[KeyRange]:
    """Return the ranges, marked as done."""
    return [replace(found, done=True) for found in ranges]


def pieces_of(s3: FakeS3, job: Job, holder: str = "holder") -> S3PieceStore:
    """Return a store with short parts."""
    client: Any = s3
    store = S3PieceStore(client, job, RUN, holder)
    store.part = s3.min_part = PART
    return store


async def put(store: PieceStore, data: bytes) -> Piece:
    """Store a short piece."""
    body = Body()
    body.write(data)
    return await (await store.put(body))


async def composed(
    store: S3PieceStore,
    job: Job,
    whole: Whole,
    state: CommitState | None = None,
    seconds: float = 900.0,
    *,
    equal: bool = False,
) -> CommitState | Mapping[str, str]:
    """Compose, with the given time left whenever the composer asks for it."""
    return await S3Composer(store, job, RUN, equal=equal).compose(whole, ABOUT, state, lambda: seconds)


def manifest_of(s3: FakeS3, job: Job) -> bytes:
    """Return the manifest's lines, decompressed."""
    stored = s3.objects[job.manifest_key_of(RUN)]
    return gzip.decompress(stored) if job.compression == "gzip" else stored
