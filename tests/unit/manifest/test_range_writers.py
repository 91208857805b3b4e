"""The manifest has the bytes of ranges in key order, in whatever order they are written, split and handed over."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.errors import RetryableError
from processor.job import EncodedBytes, Piece, WrittenRange
from processor.manifest import RangeWriters, bodies, range_writer, range_writers, s3_piece_store
from tests.builders import job_of
from tests.fakes import FakeS3, refuse
from tests.unit.manifest.ranges import PART, composed, finished, manifest_of, partition, pieces_of

if TYPE_CHECKING:
    from processor.job import KeyRange
    from processor.manifest import Whole


@settings(max_examples=200)
@given(
    ranges=st.lists(st.lists(st.binary(min_size=1, max_size=50), max_size=6), min_size=1, max_size=6),
    seed=st.integers(0, 1 << 32),
    hops=st.integers(1, 4),
    compression=st.sampled_from(["none", "gzip"]),
    held=st.sampled_from([0, 100, 1 << 20]),
    readers_held=st.sampled_from([1, 4, 16]),
)
def test_any_order_and_any_cut_gives_the_bytes_in_key_order(
    ranges: list[list[bytes]], seed: int, hops: int, compression: str, held: int, readers_held: int
) -> None:
    """Lines come to the ranges in any order; a hop knows the one before only from its checkpoint."""
    rng, s3 = random.Random(seed), FakeS3()
    job = job_of(compression=compression, concurrency=rng.choice([1, 4]))
    waiting = {number: list(lines) for number, lines in zip(_numbers(len(ranges)), ranges, strict=True)}
    place = partition([False] * len(ranges))

    async def write_some(writers: RangeWriters, place: list[KeyRange], turns: int) -> list[KeyRange]:
        for _ in range(turns):
            left = [found.number for found in place if not found.done]
            if not left:
                break
            number = rng.choice(left)
            if waiting[number]:
                await writers.write(number, [waiting[number].pop(0)])
            else:
                place = [replace(found, done=found.done or found.number == number) for found in place]
                await writers.finish(number, partial(list, place))
        return place

    async def run() -> None:
        nonlocal place
        before: tuple[WrittenRange, ...] = tuple(WrittenRange(found, EncodedBytes(), ()) for found in place)
        for hop in range(hops):
            writers = RangeWriters(pieces_of(s3, job, f"holder{hop}"), compression, before)
            place = await write_some(writers, place, rng.randint(0, 12))
            before = await writers.suspend(place)
            assert sum(piece.size for written in before for piece in written.pieces) == sum(
                written.encoded.size for written in before
            )
            place = [written.range for written in before]
        writers = RangeWriters(store := pieces_of(s3, job, "last"), compression, before)
        place = await write_some(writers, place, 1000)
        await composed(store, job, await writers.whole(place))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(range_writers, "HELD", held)
        patch.setattr(s3_piece_store, "READERS_HELD", readers_held)
        patch.setattr(bodies, "SHORT", rng.choice([1, 1 << 18]))
        asyncio.run(run())
    assert manifest_of(s3, job) == b"".join(line for lines in ranges for line in lines)


def _numbers(count: int) -> list[int]:
    return [found.number for found in partition([False] * count)]


def test_finished_neighbours_become_one_range_in_the_checkpoint() -> None:
    """Otherwise it would grow with every split."""
    s3, job = FakeS3(), job_of()
    place = partition([True, True, False, True])

    async def run() -> tuple[WrittenRange, ...]:
        writers = RangeWriters(pieces_of(s3, job), "none", ())
        for found in place:
            await writers.write(found.number, [b"x" * 10])
        return await writers.suspend(place)

    joined, under_way, last = asyncio.run(run())
    assert (joined.range.after, joined.range.upto, joined.encoded.size) == ("", "002", 20)
    assert [piece.size for piece in joined.pieces] == [20], "short neighbours are in one object"
    assert (under_way.range, last.range) == (place[2], place[3])


def test_a_range_longer_than_a_part_is_one_multipart_upload_in_equal_parts() -> None:
    """Parts leave while lines are written; the last one has the rest."""
    s3, job = FakeS3(), job_of()

    async def run() -> tuple[WrittenRange, ...]:
        writers = RangeWriters(pieces_of(s3, job), "none", ())
        for _ in range(20):
            await writers.write(1, [b"x" * 10])
        await asyncio.sleep(0)
        assert [number for _, number in s3.sent("part")] == [1, 2, 3]
        return await writers.suspend(partition([False]))

    (written,) = asyncio.run(run())
    assert [len(s3.objects[piece.key]) for piece in written.pieces] == [200]


def test_a_new_piece_begins_after_a_fixed_number_of_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So one copy takes a whole piece, and 10,000 copies hold the largest manifest."""
    monkeypatch.setattr(range_writer, "PIECE_PARTS", 2)
    s3, job = FakeS3(), job_of()

    async def run() -> tuple[WrittenRange, ...]:
        writers = RangeWriters(pieces_of(s3, job), "none", ())
        await writers.write(1, [b"x" * (5 * PART)])
        return await writers.suspend(partition([False]))

    (written,) = asyncio.run(run())
    assert [piece.size for piece in written.pieces] == [2 * PART, 2 * PART, PART]


def test_a_short_last_piece_is_read_again_and_written_with_the_lines_after_it() -> None:
    """Short hops leave no small pieces; the old piece no longer counts, and is listed as spent."""
    s3, job = FakeS3(), job_of()
    place = partition([False])

    async def run() -> tuple[WrittenRange, ...]:
        first = RangeWriters(pieces_of(s3, job, "one"), "none", ())
        await first.write(1, [b"a" * 10])
        before = await first.suspend(place)
        second = RangeWriters(pieces_of(s3, job, "two"), "none", before)
        await second.write(1, [b"b" * 10])
        after = await second.suspend(place)
        assert second.spent == [before[0].pieces[0].key]
        return after

    (written,) = asyncio.run(run())
    assert [s3.objects[piece.key] for piece in written.pieces] == [b"a" * 10 + b"b" * 10]
    assert written.encoded.size == 20


def test_pieces_of_two_holders_never_share_a_name() -> None:
    """A holder that has lost its lease may write on; its pieces have names of their own."""
    s3, job = FakeS3(), job_of()

    async def run() -> None:
        for holder in ("one", "two"):
            writers = RangeWriters(pieces_of(s3, job, holder), "none", ())
            await writers.write(1, [holder.encode()])
            await writers.suspend(partition([False]))

    asyncio.run(run())
    assert sorted(s3.objects.values()) == [b"one", b"two"]
    assert all(key.startswith(job.checkpoint_prefix("0123456789abcdef-0123456789abcdef")) for key in s3.objects)


def test_the_memory_of_finished_ranges_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit, neighbours are stored as one object."""
    monkeypatch.setattr(range_writers, "HELD", 25)
    s3, job = FakeS3(), job_of()

    async def run() -> None:
        writers = RangeWriters(pieces_of(s3, job), "none", ())
        flags = [False, False, False]
        for index in (0, 1):
            number = partition(flags)[index].number
            await writers.write(number, [b"x" * 10])
            flags[index] = True
            await writers.finish(number, partial(partition, flags))
            assert not s3.objects
        await writers.write(1, [b"y" * 10])
        await writers.finish(1, partial(partition, [True, True, True]))
        await writers.whole(partition([True, True, True]))

    asyncio.run(run())
    assert list(s3.objects.values()) == [b"x" * 20 + b"y" * 10]


def test_all_ranges_are_searched_only_when_there_may_be_bytes_to_store() -> None:
    """A search at each end of four thousand ranges took 40 seconds of a hop."""
    s3, job, place, looks = FakeS3(), job_of(), partition([False] * 500), list[int]()

    async def run() -> None:
        writers = RangeWriters(pieces_of(s3, job), "none", ())
        for index, found in enumerate(place):
            await writers.write(found.number, [b"x" * (PART // 50)])
            place[index] = replace(found, done=True)
            await writers.finish(found.number, look)
        await writers.whole(place)

    def look() -> list[KeyRange]:
        looks.append(len(s3.objects))
        return place

    asyncio.run(run())
    assert len(looks) < 500 // 50
    assert sum(len(body) for body in s3.objects.values()) > 400 * (PART // 50)


def test_the_memory_of_all_ranges_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges that begin together fill together: bytes of one are stored before they are a part."""
    monkeypatch.setattr(s3_piece_store, "READERS_HELD", 1)
    s3, job, place = FakeS3(), job_of(concurrency=4), partition([False] * 12)

    async def run() -> list[int]:
        writers = RangeWriters(store := pieces_of(s3, job, "1"), "none", [])
        held = []
        for turn in range(PART // 10 * 5):
            for found in place:
                await writers.write(found.number, [b"%03d, %03d.\n" % (found.number, turn)])
            held.append(sum(writer.held for writer in writers._writers.values()))
        for number, found in enumerate(place):
            place[number] = replace(found, done=True)
            await writers.finish(found.number, lambda: place)
        await composed(store, job, await writers.whole(place))
        return held

    held = asyncio.run(run())
    assert max(held) <= 4 * PART
    assert max(held) > 3 * PART, "only the necessary bytes are stored early"
    lines = [b"%03d, %03d.\n" % (found.number, turn) for found in place for turn in range(PART // 10 * 5)]
    assert manifest_of(s3, job) == b"".join(lines)


def test_a_piece_with_parts_ends_before_a_short_one_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit reads a short piece again; a short last part costs nothing."""
    monkeypatch.setattr(s3_piece_store, "READERS_HELD", 1)
    s3, job = FakeS3(), job_of(concurrency=2)

    async def run() -> tuple[list[int], list[int]]:
        writers = RangeWriters(pieces_of(s3, job, "1"), "none", [])
        for number, parts in ((0, 1.6), (1, 0.9), (2, 0.6)):
            await writers.write(number, [b"x" * int(parts * PART)])
        ranges = [writers._writers[number] for number in range(3)]
        for each in ranges:
            await each.settle()
        return [each.held for each in ranges], [piece.size for each in ranges for piece in each.pieces]

    held, pieces = asyncio.run(run())
    assert held == [0, int(0.9 * PART), int(0.6 * PART)]
    assert pieces == [int(1.6 * PART)]


def test_finished_neighbours_that_fill_a_part_together_are_stored_as_one() -> None:
    """The store then copies it: the commit reads none of it, and no memory is needed until then."""
    s3, job = FakeS3(), job_of()

    async def run() -> Whole:
        writers = RangeWriters(pieces_of(s3, job), "none", ())
        numbers = [found.number for found in partition([True] * 4)]
        for number, size in zip(numbers, (PART - 1, 10, 1, 2), strict=True):
            await writers.write(number, [b"x" * size])
        done = [False] * 4
        for index in (3, 1, 2):
            done[index] = True
            await writers.finish(numbers[index], partial(partition, done))
        assert not s3.objects
        done[0] = True
        await writers.finish(numbers[0], partial(partition, done))
        return await writers.whole(partition(done))

    whole = asyncio.run(run())
    assert [len(body) for body in s3.objects.values()] == [PART + 12]
    assert [source.size for source in whole.sources if isinstance(source, Piece)] == [PART + 12]


def test_a_range_with_bytes_that_is_missing_in_the_partition_is_an_error() -> None:
    """Its lines would be missing in the manifest, in silence."""
    s3, job = FakeS3(), job_of()

    async def run() -> None:
        writers = RangeWriters(pieces_of(s3, job), "none", ())
        await writers.write(7, [b"line\n"])
        await writers.whole(finished(partition([True])))

    with pytest.raises(RuntimeError, match="7"):
        asyncio.run(run())


def test_a_failed_part_ends_the_hop_and_leaves_no_upload() -> None:
    """A piece needs all of its parts."""
    s3, job = FakeS3(), job_of()

    async def fail(operation: str, detail: Any) -> None:
        if (operation, detail) == ("part", 2):
            raise refuse("InternalError", status=500)

    async def run() -> None:
        s3.before = fail
        writers = RangeWriters(pieces_of(s3, job), "none", ())
        try:
            for _ in range(10):
                await writers.write(1, [b"x" * PART])
                await asyncio.sleep(0)
            await writers.suspend(partition([False]))
        finally:
            await writers.abort()

    with pytest.raises(RetryableError, match="InternalError"):
        asyncio.run(run())
    assert s3.aborted == ["upload-1"]
    assert not s3.objects


@pytest.mark.parametrize(("code", "exists"), [("InvalidPart", True), ("NoSuchUpload", True), ("NoSuchUpload", False)])
def test_a_piece_whose_completion_is_refused_counts_if_it_exists(code: str, *, exists: bool) -> None:
    """An earlier try of the SDK may have lost its answer; without the piece, the hop's last checkpoint counts."""
    s3, job = FakeS3(), job_of()

    async def refused(**request: Any) -> None:
        if exists:
            await FakeS3.complete_multipart_upload(s3, **request)
        raise refuse(code, status=404 if code == "NoSuchUpload" else 400)

    async def run() -> tuple[WrittenRange, ...]:
        client: Any = s3
        client.complete_multipart_upload = refused
        writers = RangeWriters(pieces_of(s3, job), "none", ())
        await writers.write(1, [b"x" * 3 * PART])
        return await writers.suspend(partition([False]))

    if exists:
        (written,) = asyncio.run(run())
        assert [piece.size for piece in written.pieces] == [3 * PART]
        return
    with pytest.raises(RetryableError, match="the upload is gone"):
        asyncio.run(run())


def test_a_slow_store_holds_the_writer_back() -> None:
    """At most ``concurrency`` parts are under way, so the memory is bounded."""
    s3, most, gate = FakeS3(), 0, asyncio.Event()

    async def slow(operation: str, _: object) -> None:
        nonlocal most
        if operation == "part":
            most = max(most, len(s3.sent("part")) - len(s3.sent("part done")))
            await gate.wait()

    async def run() -> None:
        s3.before = slow
        writers = RangeWriters(pieces_of(s3, job_of(concurrency=3)), "none", ())
        writing = asyncio.create_task(writers.write(1, [b"x" * (20 * PART)]))
        for _ in range(200):
            await asyncio.sleep(0)
        assert not writing.done()
        gate.set()
        await writing
        await writers.suspend(partition([False]))

    asyncio.run(run())
    assert most == 3
