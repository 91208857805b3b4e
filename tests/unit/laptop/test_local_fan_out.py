"""Dividing the rest of a process that stops for one without work."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count, pairwise
from typing import TYPE_CHECKING

import pytest

from presign_siblings.laptop.local_fan_out import can_be_divided, finer, parts
from presign_siblings.laptop.range_files import RangeFiles
from presign_siblings.laptop.saved_checkpoint import CheckpointFile
from processor.job import Checkpoint, EncodedBytes, KeyRange, Piece, WrittenRange
from processor.listing import Lister
from tests.builders import OPEN, begun
from tests.fakes import FakeS3

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = EncodedBytes(10, 3, 7)
READERS = (
    WrittenRange(KeyRange(0, "b", "d", "d", None, done=True), WRITTEN, (Piece("one", 10),)),
    WrittenRange(KeyRange(3, "d", "g", "e", None, done=False), WRITTEN, (Piece("two", 10),)),
    WrittenRange(KeyRange(1, "g", "k", "g", None, done=False), EncodedBytes(), ()),
)


def stopped(*ranges: WrittenRange) -> Checkpoint:
    """Return the checkpoint at which a range of a run has stopped."""
    return Checkpoint(job_key="job", job_id="run", ranges=ranges)


def test_the_readers_places_divide_the_rest() -> None:
    """The bytes stay with their keys; the parts partition the range, under numbers of their own."""
    found = list(parts("m", stopped(*READERS), count(8)))
    assert [(each.range.after, each.range.upto, each.range.done) for each in found] == [
        ("b", "d", True),
        ("d", "e", True),
        ("e", "g", False),
        ("g", "m", False),
    ]
    assert [each.range.number for each in found] == [8, 9, 10, 11]
    assert [[piece.key for piece in each.pieces] for each in found] == [["one"], ["two"], [], []]
    assert all(each.encoded == (WRITTEN if each.range.done else EncodedBytes()) for each in found)
    assert all(before.range.upto == after.range.after for before, after in pairwise(found))


def test_a_listing_by_tokens_stays_with_its_process() -> None:
    """Its server cannot list from a key; and a finished range has no rest."""
    token = WrittenRange(KeyRange(0, "b", "d", "c", "token", done=False), WRITTEN, ())
    assert [can_be_divided(stopped(*each)) for each in (READERS, (token,), READERS[:1])] == [True, False, False]


KEYS = [f"d{number:05}" for number in range(20_000)]


@pytest.fixture
def files(tmp_path: Path) -> RangeFiles:
    """Return the files of a new run."""
    return RangeFiles(CheckpointFile(tmp_path / "links.checkpoint"), OPEN)


def divided_by_samples(left: Checkpoint, files: RangeFiles, s3: FakeS3) -> list[KeyRange]:
    """Return the ranges of a run of two processes."""
    lister = Lister(s3, replace(begun().job, prefix="", chains=2), ())  # type: ignore[arg-type]
    return [written.range for written in asyncio.run(finer(left, lister, files)).ranges]


def test_the_rest_of_few_readers_is_divided_by_samples(files: RangeFiles) -> None:
    """
    A process that always signs has one reader, and the others would soon wait for it again.

    Finished ranges stay unchanged; no number is used twice.
    """
    done, rest = READERS[0], WrittenRange(KeyRange(3, "d", None, "d", None, done=False), EncodedBytes(), ())
    found = divided_by_samples(stopped(done, rest), files, FakeS3(KEYS))
    assert found[0] == done.range
    assert all(before.upto == after.after for before, after in pairwise(found))
    assert len({each.number for each in found}) == len(found) > 2
    assert min(each.number for each in found[1:]) > 3
    sizes = [sum(each.after < key <= (each.upto or "e") for key in KEYS) for each in found[1:]]
    assert max(sizes) <= len(KEYS) / 2


def test_the_rest_of_many_readers_needs_no_samples(files: RangeFiles) -> None:
    """Their places divide it; and the saved part of a range continues from there."""
    many = [WrittenRange(KeyRange(n, f"d{n}", f"d{n + 1}", "", None, done=False), EncodedBytes(), ()) for n in range(4)]
    s3 = FakeS3(KEYS)
    assert divided_by_samples(stopped(*many), files, s3) == [each.range for each in many]
    files.of(2).write(begun())
    assert divided_by_samples(stopped(READERS[0], many[2]), files, s3) == [READERS[0].range, many[2].range]
    assert not s3.wire
