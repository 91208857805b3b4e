"""A manifest in a file is the one that would lie in S3, however its run was cut."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presign_siblings.laptop.file_writer import ManifestFile, unfinished
from processor.errors import CheckpointLostError, ManifestTakenError
from processor.job import GZIP, NONE, Job, Upload
from tests.builders import OPEN
from tests.conftest import NOW

if TYPE_CHECKING:
    from pathlib import Path


def job(compression: str = NONE) -> Job:
    """Return a job."""
    event = {"bucket": "reports", "compression": compression}
    return Job.from_event(event, config={}, environment={}, deployment=OPEN, now=NOW)


def write(path: Path, pieces: list[bytes], compression: str = NONE) -> bytes:
    """Write each piece in a hop of its own; return the file's bytes."""

    async def run() -> None:
        upload = Upload()
        for piece in pieces:
            file = ManifestFile(path, job(compression), upload)
            await file.write(piece)
            upload = await file.suspend()
        await ManifestFile(path, job(compression), upload).commit()

    asyncio.run(run())
    return path.read_bytes()


@settings(max_examples=30)  # each hop waits for the disk
@given(pieces=st.lists(st.binary(max_size=3000), max_size=6))
def test_any_cut_gives_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    """Plain; with gzip the same bytes when read, in one member."""
    folder = tmp_path_factory.mktemp("cut")
    assert write(folder / "a", pieces) == b"".join(pieces)
    assert gzip.decompress(write(folder / "a.gz", pieces, GZIP)) == b"".join(pieces)


def test_what_stands_behind_the_checkpoint_is_cut_off(tmp_path: Path) -> None:
    """A hop that was killed had written more than it has counted."""

    async def run() -> None:
        first = ManifestFile(tmp_path / "a", job(), Upload())
        await first.write(b"counted\n")
        upload = await first.suspend()
        part = unfinished(tmp_path / "a")
        part.write_bytes(part.read_bytes() + b"not counted\n")
        second = ManifestFile(tmp_path / "a", job(), upload)
        await second.write(b"more\n")
        await second.commit()

    asyncio.run(run())
    assert (tmp_path / "a").read_bytes() == b"counted\nmore\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_bytes_that_are_gone_are_missed(tmp_path: Path) -> None:
    """A manifest with a hole would look whole."""
    file = ManifestFile(tmp_path / "a", job(), Upload(size=10, length=10))
    with pytest.raises(CheckpointLostError, match="shorter than its checkpoint"):
        asyncio.run(file.commit())


def test_another_file_is_never_replaced(tmp_path: Path) -> None:
    """It may have appeared meanwhile."""

    async def run() -> None:
        file = ManifestFile(tmp_path / "a", job(), Upload())
        await file.write(b"ours\n")
        (tmp_path / "a").write_bytes(b"mine")
        await file.commit()

    with pytest.raises(ManifestTakenError, match="has appeared meanwhile"):
        asyncio.run(run())
    assert (tmp_path / "a").read_bytes() == b"mine"


def test_its_owner_alone_reads_it(tmp_path: Path) -> None:
    """It holds live URLs; an old unfinished one with other rights is taken into the same."""
    unfinished(tmp_path / "a").touch(0o644)
    write(tmp_path / "a", [b"x\n"])
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_run_that_failed_for_good_leaves_nothing(tmp_path: Path) -> None:
    """One that goes on leaves its bytes."""

    async def run(*, forget: bool) -> None:
        file = ManifestFile(tmp_path / "a", job(), Upload())
        await file.write(b"x" * (1 << 20))
        await file.abort(forget=forget)

    asyncio.run(run(forget=False))
    assert unfinished(tmp_path / "a").exists()
    asyncio.run(run(forget=True))
    assert list(tmp_path.iterdir()) == []
