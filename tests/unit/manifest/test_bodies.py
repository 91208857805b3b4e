"""The buffers of parts: for one reader in memory, for many on the disk while there is room."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import random
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.manifest import Bodies, RangeWriters, bodies
from processor.manifest.file_body import FileBody, file_body
from processor.manifest.part_plan import MIB, MIN_PART
from processor.manifest.piece_store import Body
from tests.builders import job_of
from tests.fakes import FakeS3
from tests.unit.manifest.ranges import PART, partition, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="elsewhere all parts are in memory")
STEPS = st.one_of(
    st.tuples(st.just("write"), st.binary(max_size=30)),
    st.tuples(st.just("read"), st.sampled_from([-1, None])),
    st.tuples(st.just("seek"), st.integers(0, 40)),
    st.tuples(st.just("cut"), st.none()),
)


@given(st.lists(STEPS, max_size=20))
def test_a_part_on_the_disk_is_like_one_in_memory(steps: list[tuple[str, object]]) -> None:
    """In every way in which parts are written, read, cut and sent."""
    made = (Body(), _made())
    for name, given_ in steps:
        found = [_step(body, name, given_) for body in made]
        assert found[0] == found[1]
        assert made[0].tell() == made[1].tell()
        assert bytes(made[0].getbuffer()) == bytes(made[1].getbuffer())
    assert made[0].seek(0, io.SEEK_END) == made[1].seek(0, io.SEEK_END)
    assert made[0].seek(0, io.SEEK_CUR) == made[1].seek(0, io.SEEK_CUR)


def _step(body: Body, name: str, given_: object) -> object:
    size = len(body.getbuffer())
    match name, given_:
        case "write", bytes(data):
            return body.write(data)
        case "read", (None | int()) as most:
            return body.read(most)
        case "seek", int(place):
            return body.seek(min(place, size))
        case _:
            return body.truncate()


def _made() -> FileBody:
    made = file_body()
    assert made is not None
    return made


def test_a_part_on_the_disk_is_read_in_the_blocks_of_one_in_memory() -> None:
    """They suit botocore, which hashes, and aiohttp, which sends."""
    made = _made()
    made.write(b"x" * 2 * MIB)
    for asked in (1000, MIB, 4 * MIB):
        memory = Body(b"x" * 2 * MIB)
        made.seek(0)
        assert len(made.read(asked)) == len(memory.read(asked))


def test_a_part_on_the_disk_has_no_name_and_ends_with_its_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds links, and a killed process leaves nothing."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = _made()
    made.reserve(MIB)
    made.write(b"links")
    assert not list(tmp_path.iterdir())
    file = made._file
    assert os.fstat(file).st_mode & 0o077 == 0
    del made
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(file)


def test_only_the_parts_of_many_readers_are_on_the_disk() -> None:
    """One reader's two parts take little memory, and are written faster there."""
    one, many = (pieces_of(FakeS3(), job_of(concurrency=readers)).bodies for readers in (1, 16))
    assert not isinstance(one.new(), FileBody)
    assert isinstance(many.new(), FileBody)


def test_sixteen_ranges_that_fill_a_part_and_those_that_are_finished_hold_nothing_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory depends on neither the readers nor the keys."""
    monkeypatch.setattr(bodies, "SHORT", 10)
    place = partition([False] * 16)

    async def run() -> list[Body]:
        writers = RangeWriters(pieces_of(FakeS3(), job_of(concurrency=16)), "none", ())
        for found in place:
            await writers.write(found.number, [b"x" * (PART - 1)])
        for found in place[:4]:
            await writers.finish(found.number, partial(list, place))
        return [writer.body for writer in writers._writers.values()]

    held = asyncio.run(run())
    assert [(type(body), body.tell()) for body in held] == [(FileBody, PART - 1)] * 16


@pytest.mark.parametrize(("compression", "kept"), [("none", 2), ("gzip", 0)])
def test_few_buffers_in_memory_are_kept_for_later_parts(compression: str, kept: int) -> None:
    """Each takes a whole part's memory; those of a gzip manifest fill too slowly to be worth it."""
    made = pieces_of(FakeS3(), job_of(compression=compression, concurrency=1)).bodies
    used = _used(made, 5)
    assert sum(made.new() in used for _ in range(5)) == kept


def _used(made: Bodies, count: int) -> list[Body]:
    used = [made.new() for _ in range(count)]
    for body in used:
        body.write(b"x" * PART)
        made.reuse(body)
    return used


def test_a_buffer_on_the_disk_that_is_used_again_ends_with_its_new_bytes() -> None:
    """A shorter part would otherwise be sent with the end of a longer one."""
    made = Bodies(PART, files=1)
    (first,) = _used(made, 1)
    again = made.new()
    again.write(b"new")
    assert again is first
    assert bytes(again.getbuffer()) == b"new"


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _without_a_folder(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tempfile, "TemporaryFile", _full)


def _on_a_full_disk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "posix_fallocate", _full)


def _on_a_system_that_reserves_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(os, "posix_fallocate")


@pytest.mark.parametrize("without", [_without_a_folder, _on_a_full_disk, _on_a_system_that_reserves_nothing])
def test_parts_are_in_memory_where_the_disk_has_no_room(
    without: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function's disk may be used by others, and some systems have none to write to."""
    without(monkeypatch)
    made = Bodies(PART, files=4)
    assert [type(made.new()) for _ in range(3)] == [Body] * 3


def test_no_more_files_are_opened_than_allowed() -> None:
    """A function has 1,024 descriptors."""
    made = Bodies(PART, files=2)
    held = [made.new() for _ in range(3)]
    assert [type(body) for body in held] == [FileBody, FileBody, Body]


def test_a_buffer_that_is_dropped_makes_place_for_another_file() -> None:
    """A part that could not be stored is dropped; the next tries would be in memory, for the rest of the hop."""
    made = Bodies(PART, files=1)
    assert [type(made.new()) for _ in range(3)] == [FileBody] * 3


def test_a_buffer_on_a_disk_that_was_given_back_touches_no_other_file() -> None:
    """Its descriptor's number may be another file's, or a connection's."""
    made = Bodies(PART, files=1)
    body = made.new()
    body.write(b"links")
    made.close()
    other = file_body()
    assert other is not None
    for touch in (body.read, partial(body.write, b"x"), body.getbuffer):
        with pytest.raises((OSError, ValueError), match="Bad file descriptor|closed file"):
            touch()
    assert bytes(other.getbuffer()) == b""


def test_the_room_of_a_part_is_there_before_its_first_byte() -> None:
    """So no write finds the disk full, in the middle of a part."""
    made = Bodies(MIN_PART, files=1).new()
    assert isinstance(made, FileBody)
    assert os.fstat(made._file).st_blocks * 512 >= MIN_PART


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_lines_of_any_length_stay_in_the_room_of_a_part(compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names the keys makes the lines long: 500 of them can have megabytes."""
    made = [_made() for _ in range(20)]
    unused = iter(made)
    monkeypatch.setattr(bodies, "file_body", lambda: next(unused))
    store: Any = pieces_of(FakeS3(), job_of(concurrency=2, compression=compression))
    store.part = MIN_PART
    rng = random.Random(2)

    async def run() -> None:
        writers = RangeWriters(store, compression, ())
        for size in (3 * MIB, 5 * MIB, 3 * MIB, 11 * MIB):
            await writers.write(1, [rng.randbytes(size)])
        await writers.abort()

    asyncio.run(run())
    assert {os.fstat(body._file).st_size for body in made} == {0, MIN_PART + MIB // 4}


def test_what_waits_gives_its_room_back() -> None:
    """There may be many finished ranges."""
    made = Bodies(MIN_PART, files=1)
    body = made.new()
    body.write(b"x" * bodies.SHORT)
    kept = made.kept(body)
    assert isinstance(kept, FileBody)
    assert os.fstat(kept._file).st_size == bodies.SHORT
    assert bytes(kept.getbuffer()) == b"x" * bodies.SHORT


def test_what_is_short_waits_in_memory_and_frees_its_file() -> None:
    """A thousand short ranges would need a thousand files."""
    made = Bodies(MIN_PART, files=1)
    body = made.new()
    body.write(b"short")
    assert bytes(made.kept(body).getbuffer()) == b"short"
    assert made.new() is body
