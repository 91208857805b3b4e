"""A checkpoint reads as it was written, or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.job import (
    Checkpoint,
    CommitState,
    Counts,
    EncodedBytes,
    KeyRange,
    OtherFormatError,
    Part,
    Piece,
    WrittenRange,
)
from tests.builders import of_a_newer_release

NOW = datetime(2026, 4, 1, 6, 30, tzinfo=UTC)
FULL = Checkpoint(
    job_key="k",
    job_id="i",
    hop=3,
    counts=Counts(count=5, errors=1, pages=2, expires_at=NOW, hindered={"dots_in_path": 2}),
    ranges=(
        WrittenRange(
            KeyRange(0, "", "a\nb", "a\nb", None, done=True),
            EncodedBytes(9, 8, 7, 6),
            (Piece("manifests/.checkpoints/i/pieces/h-000001", 5 << 20), Piece("manifests/x", 7)),
        ),
        WrittenRange(KeyRange(4, "a\nb", None, "\u00e9\U0001f600", "token", done=False), EncodedBytes(), ()),
    ),
    commit=CommitState("upload", (Part(1, '"e"'), Part(4, "f")), equal=True),
    spent=("manifests/y",),
    key_map={"count": 3, "keys": ["a", "b"]},
)


def test_a_checkpoint_reads_as_it_was_written() -> None:
    """Ranges, pieces, counts, and the state of the commit."""
    assert Checkpoint.from_bytes(FULL.to_bytes()) == FULL
    least = Checkpoint(job_key="k", job_id="i", ranges=FULL.ranges[:1])
    assert Checkpoint.from_bytes(least.to_bytes()) == least


@given(bit=st.integers(0, 8 * len(FULL.to_bytes()) - 1))
def test_a_flipped_bit_never_reads_as_another_checkpoint(bit: int) -> None:
    """It would be a wrong count, or a manifest with other bytes, reported as complete."""
    stored = bytearray(FULL.to_bytes())
    stored[bit // 8] ^= 1 << bit % 8
    try:
        assert Checkpoint.from_bytes(bytes(stored)) == FULL
    except (ValueError, OtherFormatError):
        return
    # Parts of the first line without a meaning in JSON, such as a blank, may change.
    assert bit // 8 < stored.index(b"\n") + 1


@pytest.mark.parametrize("stored", [b"", b"no json\n", b"[]\n", b"{}\n", b"no newline", b"5\n", b'{"upload": 5}\n'])
def test_anything_but_a_checkpoint_is_refused(stored: bytes) -> None:
    """Whatever lies under its key."""
    with pytest.raises(ValueError, match="is not a checkpoint"):
        Checkpoint.from_bytes(stored)


def test_a_checkpoint_of_the_first_version_is_refused_by_name() -> None:
    """The error carries its upload, which must be aborted."""
    first = {"job_key": "k", "job_id": "i", "hop": 2, "upload": {"upload_id": "u", "parts": [[1, "e"]]}}
    with pytest.raises(OtherFormatError) as found:
        Checkpoint.from_bytes(json.dumps(first).encode() + b"\ntail\xff")
    assert found.value.upload_id == "u"


def test_a_checkpoint_of_a_later_version_is_refused() -> None:
    """The deployment was rolled back."""
    with pytest.raises(OtherFormatError):
        Checkpoint.from_bytes(b'{"format": 3, "crc32": 0}\n{}')


def test_a_count_that_only_a_newer_version_knows_is_not_damage() -> None:
    """Damage ends the run; another version starts it again. The checksum distinguishes the two."""
    newer = of_a_newer_release(FULL.to_bytes())
    with pytest.raises(OtherFormatError):
        Checkpoint.from_bytes(newer)
    with pytest.raises(ValueError, match="damaged"):
        Checkpoint.from_bytes(newer[:-1] + b" }")


def test_the_front_is_the_first_range_that_is_not_done() -> None:
    """All keys before its place are written; the payload names this place."""
    assert FULL.front == FULL.ranges[1].range
    assert Checkpoint(job_key="k", job_id="i", ranges=FULL.ranges[:1]).front == FULL.ranges[0].range


def test_size_and_pieces_cover_all_ranges() -> None:
    """Pieces that no longer count are deleted with the others."""
    assert FULL.size == 7
    assert FULL.pieces == ["manifests/y", "manifests/.checkpoints/i/pieces/h-000001", "manifests/x"]
