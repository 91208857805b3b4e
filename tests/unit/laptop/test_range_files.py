"""The files in which the processes of a run save their places."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from presign_siblings.laptop.range_files import RangeFiles
from presign_siblings.laptop.saved_checkpoint import CheckpointFile
from processor.job import Share
from tests.builders import OPEN, begun

if TYPE_CHECKING:
    from pathlib import Path

PLACE = begun().shared(Share(3, "b", "d", 1))


@pytest.fixture
def files(tmp_path: Path) -> RangeFiles:
    """Return the files of a run, one of them written."""
    found = RangeFiles(CheckpointFile(tmp_path / "links.checkpoint"), OPEN)
    found.of(3).write(PLACE)
    return found


def test_a_range_continues_from_its_own_file_at_every_start_of_the_run(files: RangeFiles) -> None:
    """The place is as it was written."""
    assert PLACE.share is not None
    for start in (1, 7):
        found = files.place(replace(PLACE, share=replace(PLACE.share, start=start)))
        assert found is not None
        assert found.share == PLACE.share


@pytest.mark.parametrize("other", [Share(4, "b", "d", 1), Share(3, "c", "d", 1), Share(3, "b", None, 1)])
def test_no_range_continues_from_the_file_of_another(files: RangeFiles, other: Share) -> None:
    """Neither of another number, nor of other keys, nor of another run."""
    assert files.place(replace(PLACE, share=other)) is None
    assert files.place(replace(PLACE, job_id=f"{PLACE.job_id}2")) is None


@pytest.mark.parametrize("damaged", [b"", b"[]", b'{"job": {}}\n', b'{"hop": 1}'])
def test_a_range_with_an_unreadable_file_starts_again(files: RangeFiles, damaged: bytes) -> None:
    """It ended each --resume of the run, without naming the file."""
    files.of(3).path.write_bytes(damaged)
    assert files.place(PLACE) is None


def test_the_number_of_a_file_is_not_used_again(files: RangeFiles) -> None:
    """A half-written file does not count."""
    assert files.highest == 3
    files.of(4).path.with_name("000009.new").touch()
    assert files.highest == 3
    files.forget()
    assert files.highest == -1
