"""The commit: the manifest appears whole and once, and never replaces another, wherever a try ends."""

from __future__ import annotations

import asyncio
import random
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.errors import (
    CheckpointLostError,
    ManifestDamagedError,
    ManifestTakenError,
    RetryableError,
    SourceRefusedError,
)
from processor.job import CommitState, EncodedBytes, Piece
from processor.manifest import Body, Whole, composer
from processor.manifest.part_filler import MOST_JOINED
from tests.builders import job_of
from tests.fakes import FakeS3, refuse
from tests.simulation.loop import VirtualLoop
from tests.unit.manifest.ranges import ABOUT, PART, RUN, composed, pieces_of, put

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from processor.job import Job
    from processor.manifest import S3PieceStore

JOB = job_of()
KEY = JOB.manifest_key_of(RUN)


async def whole_of(store: S3PieceStore, sources: Sequence[tuple[bool, int]]) -> tuple[Whole, bytes]:
    """Return a manifest of stored and held sources, and the bytes of all."""
    rng, made, body = random.Random(5), [], b""
    for stored, size in sources:
        data = rng.randbytes(size)
        made.append(await put(store, data) if stored else Body(data))
        body += data
    checksum = zlib.crc32(body)
    return Whole(tuple(made), EncodedBytes(len(body), checksum, len(body), checksum)), body


def stored(s3: FakeS3, job: Job = JOB) -> bytes:
    """Return the manifest's bytes."""
    return s3.objects[job.manifest_key_of(RUN)]


def commit(
    s3: FakeS3,
    sources: Sequence[tuple[bool, int]],
    *,
    before: Callable[[str, Any], Any] | None = None,
    equal: bool = False,
) -> bytes:
    """
    Put the manifest of some sources together, and return what it must hold.

    :param before: Awaited before each operation of the commit.
    """

    async def run() -> bytes:
        store = pieces_of(s3, JOB)
        whole, body = await whole_of(store, sources)
        s3.before = before
        await composed(store, JOB, whole, equal=equal)
        return body

    return asyncio.run(run())


async def half(store: S3PieceStore, whole: Whole) -> CommitState:
    """Make parts until the time is up."""
    with mock.patch.object(composer, "QUICKLY", 0):
        state = await composed(store, JOB, whole, seconds=0)
    assert isinstance(state, CommitState)
    return state


class AtOnce:
    """Delays an operation by some turns, and counts how many requests of it were under way at most."""

    def __init__(self, operation: str) -> None:
        self._operation, self._under_way, self.most = operation, 0, 0

    async def __call__(self, operation: str, _: object) -> None:
        """Count a request before it is answered."""
        if operation == self._operation:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            await asyncio.sleep(0.01)
            self._under_way -= 1


LONG = [(True, 500), (True, 10), (False, 20), (True, 300)]


def test_a_manifest_shorter_than_a_part_is_one_put() -> None:
    """With its type, its metadata, and the condition that no object is under its key."""
    s3 = FakeS3()

    async def run() -> Mapping[str, str] | CommitState:
        store = pieces_of(s3, JOB)
        whole, _ = await whole_of(store, [(True, 10), (False, 20)])
        s3.wire.clear()
        return await composed(store, JOB, whole)

    assert asyncio.run(run()) == ABOUT
    assert [operation for operation, _ in s3.wire] == ["get", "put", "head"]
    sent = s3.headers[KEY]
    assert (sent["ContentType"], sent["IfNoneMatch"]) == ("application/x-ndjson", "*")
    assert sent["Metadata"] == {"job-id": RUN, **ABOUT}
    assert "ContentEncoding" not in sent


def test_a_manifest_shorter_than_a_part_is_checked_before_it_is_put() -> None:
    """Not by S3: many stores refuse the header for it."""
    s3 = FakeS3()
    with pytest.raises(CheckpointLostError, match="bytes that differ from those written"):
        asyncio.run(composed(pieces_of(s3, JOB), JOB, Whole((Body(b"x"),), EncodedBytes(0, 0, 1, zlib.crc32(b"y")))))
    assert not s3.objects


def test_an_empty_manifest_is_an_object_too() -> None:
    """An empty result is no error."""
    s3 = FakeS3()
    asyncio.run(composed(pieces_of(s3, JOB), JOB, Whole((), EncodedBytes())))
    assert s3.objects == {KEY: b""}


def test_gzip__is_in_the_key_and_in_the_encoding() -> None:
    """A browser then shows it as text."""
    s3, job = FakeS3(), job_of(compression="gzip")
    asyncio.run(composed(pieces_of(s3, job), job, Whole((Body(b"x"),), EncodedBytes(0, 0, 1, zlib.crc32(b"x")))))
    assert s3.headers[f"manifests/{RUN}.jsonl.gz"]["ContentEncoding"] == "gzip"


@settings(max_examples=150)
@given(
    sources=st.lists(st.tuples(st.booleans(), st.integers(1, 400)), min_size=1, max_size=12),
    equal=st.booleans(),
    seconds=st.sampled_from([0.0, 900.0]),
    quickly=st.sampled_from([0, 1000]),
)
def test_any_sources_are_joined_in_order(
    sources: list[tuple[bool, int]],
    equal: bool,  # noqa: FBT001 - hypothesis names it
    seconds: float,
    quickly: int,
) -> None:
    """In one hop or in many with time for one step each; the store refuses illegal parts."""
    s3 = FakeS3()

    async def run() -> bytes:
        store = pieces_of(s3, JOB)
        whole, body = await whole_of(store, sources)
        state: Any = None
        for _ in range(100):
            state = await composed(store, JOB, whole, state, seconds, equal=equal)
            if not isinstance(state, CommitState):
                assert state == ABOUT
                return body
        raise AssertionError("the commit makes no progress")

    with mock.patch.object(composer, "QUICKLY", quickly):
        assert asyncio.run(run()) == stored(s3)
    assert len(s3.sent("create")) <= 1
    assert not s3.uploads


def test_long_pieces_are_copied_by_the_store_and_not_read() -> None:
    """Short neighbours are read, and of the piece after them the bytes that they lack."""
    s3 = FakeS3()

    async def run() -> bytes:
        store = pieces_of(s3, JOB)
        whole, body = await whole_of(store, LONG)
        s3.wire.clear()
        await composed(store, JOB, whole)
        return body

    assert asyncio.run(run()) == stored(s3)
    assert sorted(s3.sent("copy", "part")) == [("copy", 1), ("copy", 3), ("part", 2)]
    assert s3.metadata[KEY] == {"job-id": RUN, **ABOUT}
    assert not s3.tags


def test_many_copies_run_at_once() -> None:
    """Each copy takes the store some time."""
    s3, copies = FakeS3(), AtOnce("copy")

    commit(s3, [(True, 100)] * 20, before=copies)
    assert copies.most == 2 * JOB.concurrency


def test_few_parts_are_joined_in_memory_at_once() -> None:
    """We read and write these bytes; all joins at once would take as much memory as the manifest has bytes."""
    s3, reads = FakeS3(), AtOnce("get")

    async def run() -> None:
        store = pieces_of(s3, job_of(concurrency=16))
        whole, body = await whole_of(store, [(True, PART - 1), (True, PART + 2)] * 40)
        s3.before = reads
        await composed(store, JOB, whole)
        assert stored(s3) == body

    asyncio.run(run())
    assert 2 <= reads.most <= 2 * MOST_JOINED, "two pieces each"


@pytest.mark.parametrize(
    "refusal",
    [refuse("NotImplemented", status=501), refuse("InvalidRequest"), refuse("MethodNotAllowed", status=405)],
)
def test_a_store_that_does_not_copy_gets_equal_parts(refusal: Exception) -> None:
    """The upload that was begun is aborted."""
    s3 = FakeS3()

    async def fail(operation: str, _: object) -> None:
        if operation == "copy":
            raise refusal

    assert commit(s3, LONG, before=fail) == stored(s3)
    assert s3.aborted == ["upload-1"]
    assert len(s3.sent("create")) == 2


def test_a_store_that_makes_an_empty_part_of_a_copy_gets_equal_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers 200, and has copied nothing."""
    s3 = FakeS3()

    async def ignored(self: FakeS3, **request: Any) -> dict[str, Any]:
        self.uploads[request["UploadId"]][request["PartNumber"]] = b""
        return {}

    monkeypatch.setattr(FakeS3, "upload_part_copy", ignored)

    assert commit(s3, LONG) == stored(s3)


def test_a_store_that_requires_equal_parts_at_the_end_gets_them() -> None:
    """R2 refuses unequal parts when the upload is completed."""
    s3 = FakeS3()

    async def fail(operation: str, _: object) -> None:
        if operation == "complete" and len(s3.sent("create")) == 1:
            raise refuse("InvalidPart")

    assert commit(s3, LONG, before=fail) == stored(s3)


def test_equal_parts__are_chosen_by_a_setting() -> None:
    """Nothing is copied then."""
    s3 = FakeS3()

    assert commit(s3, LONG, equal=True) == stored(s3)
    assert not s3.sent("copy")


@pytest.mark.parametrize(
    ("code", "status"),
    [("SlowDown", 503), ("RequestTimeout", 400), ("ExpiredToken", 400), ("RequestTimeTooSkewed", 403)],
)
def test_a_store_that_refuses_for_now_still_counts_as_one_that_copies(code: str, status: int) -> None:
    """The next try copies; the copies of earlier hops stay, and no terabyte goes through the function."""
    s3 = FakeS3()

    async def busy(operation: str, _: object) -> None:
        if operation == "copy":
            raise refuse(code, status=status)

    with pytest.raises(RetryableError, match=code):
        commit(s3, LONG, before=busy)
    assert not s3.sent("part")


@pytest.mark.parametrize("sources", [[(True, 10)], LONG])
def test_the_manifest_never_replaces_another_object(sources: list[tuple[bool, int]]) -> None:
    """The seed replaced any object under its key."""
    s3 = FakeS3(objects={KEY: b"theirs"}, metadata={KEY: {"job-id": "other"}})

    with pytest.raises(ManifestTakenError):
        commit(s3, sources)
    assert s3.objects[KEY] == b"theirs"


@pytest.mark.parametrize("sources", [[(True, 10)], LONG])
def test_the_second_holder_reports_the_first_ones_manifest(sources: list[tuple[bool, int]]) -> None:
    """The bucket may have changed between two holders of a run: neither describes bytes that it did not write."""
    theirs = {"job-id": RUN, "count": "278", "size": "6"}
    s3 = FakeS3(objects={KEY: b"theirs"}, metadata={KEY: theirs})

    async def run() -> Mapping[str, str] | CommitState:
        store = pieces_of(s3, JOB)
        whole, _ = await whole_of(store, sources)
        return await composed(store, JOB, whole)

    assert asyncio.run(run()) == theirs
    assert not s3.uploads, "the upload of the second is aborted"


def test_an_upload_that_was_aborted_is_begun_again() -> None:
    """By a lifecycle rule or an operator; the pieces are still stored."""
    s3 = FakeS3()

    async def run() -> bytes:
        store = pieces_of(s3, JOB)
        whole, body = await whole_of(store, LONG)
        state = await half(store, whole)
        s3.uploads.clear()
        await composed(store, JOB, whole, state)
        return body

    assert asyncio.run(run()) == stored(s3)


def test_a_lost_answer_of_the_commit_costs_nothing() -> None:
    """The second try finds no upload, and the manifest in place."""
    s3 = FakeS3()

    async def run() -> None:
        store = pieces_of(s3, JOB)
        whole, body = await whole_of(store, LONG)
        begun = await half(store, whole)
        assert await composed(store, JOB, whole, begun) == ABOUT
        assert await composed(store, JOB, whole, begun) == {"job-id": RUN, **ABOUT}
        assert stored(s3) == body

    asyncio.run(run())


def test_parts_refused_after_the_manifest_appeared_cost_nothing() -> None:
    """S3 may refuse the SDK's second try when the first answer was lost: a terabyte would be read again."""
    s3 = FakeS3()

    async def run() -> Mapping[str, str] | CommitState:
        store = pieces_of(s3, JOB)
        whole, _ = await whole_of(store, LONG)
        begun = await half(store, whole)
        assert await composed(store, JOB, whole, begun) == ABOUT

        async def refused(operation: str, _: object) -> None:
            if operation == "complete":
                raise refuse("InvalidPart")

        s3.before = refused
        s3.wire.clear()
        return await composed(store, JOB, whole, replace(begun, parts=()))

    assert asyncio.run(run()) == {"job-id": RUN, **ABOUT}
    assert len(s3.sent("complete")) == 1


def _busy(s3: FakeS3, made: int) -> Callable[[str, Any], Any]:
    """Return a function that refuses copies for now, once some are made."""

    async def fail(operation: str, _: object) -> None:
        if operation == "copy" and len(s3.sent("copy")) > made:
            await asyncio.sleep(0.01)
            raise refuse("SlowDown", status=503)

    return fail


MANY = [(True, 100)] * 20


def test_a_fault_that_outlasts_the_hop_costs_no_finished_part() -> None:
    """The next hop continues after them."""
    s3 = FakeS3()

    async def run() -> bytes:
        store = pieces_of(s3, JOB)
        whole, body = await whole_of(store, MANY)
        s3.before = _busy(s3, 1)
        state = await composed(store, JOB, whole, seconds=1)
        assert isinstance(state, CommitState)
        assert len(state.parts) == 1
        s3.before = None
        assert await composed(store, JOB, whole, state) == ABOUT
        return body

    assert asyncio.run(run()) == stored(s3)
    assert len(s3.sent("create")) == 1


def test_a_hop_that_makes_no_part_raises_the_fault() -> None:
    """So Lambda waits before the next try, and no hop is spent."""
    s3 = FakeS3()
    with pytest.raises(RetryableError, match="SlowDown"):
        commit(s3, MANY, before=_busy(s3, 0))
    assert s3.aborted == ["upload-1"]


def test_a_missing_piece_without_a_manifest_is_an_error_by_name() -> None:
    """The run begins again."""
    s3 = FakeS3()

    async def run() -> None:
        store = pieces_of(s3, JOB)
        whole, _ = await whole_of(store, LONG)
        s3.objects.popitem()
        await composed(store, JOB, whole)

    with pytest.raises(CheckpointLostError):
        asyncio.run(run())
    assert KEY not in s3.objects


@pytest.mark.parametrize("may_list", [True, False])
def test_a_piece_deleted_after_the_first_holders_commit_costs_nothing(
    may_list: bool,  # noqa: FBT001 - a parameter
) -> None:
    """A frozen holder wakes when all is done; a role without ``s3:ListBucket`` sees 403 in place of 404."""
    s3 = FakeS3(may_list=may_list)

    async def run() -> None:
        store = pieces_of(s3, JOB)
        whole, _ = await whole_of(store, LONG)
        await composed(store, JOB, whole)
        await store.discard([source.key for source in whole.sources if isinstance(source, Piece)])
        assert await composed(store, JOB, whole) == {"job-id": RUN, **ABOUT}

    asyncio.run(run())
    assert list(s3.objects) == [KEY]


def test_a_foreign_part_may_fail_the_commit_and_is_never_in_the_manifest() -> None:
    """The commit names the ETags that this run recorded."""
    s3 = FakeS3()

    async def run() -> None:
        store = pieces_of(s3, JOB)
        whole, body = await whole_of(store, LONG)
        state = await half(store, whole)
        s3.uploads[state.upload_id][state.parts[0].number] = b"foreign" * 40
        await composed(store, JOB, whole, state)
        assert stored(s3) == body

    asyncio.run(run())


@pytest.mark.parametrize("sources", [[(True, 10)], LONG])
def test_bytes_that_differ_from_the_recorded_sums_are_refused_at_once(sources: list[tuple[bool, int]]) -> None:
    """A flipped bit never becomes a manifest, and costs no take-over."""
    s3 = FakeS3()

    async def run() -> None:
        store = pieces_of(s3, JOB)
        whole, _ = await whole_of(store, sources)
        wrong = replace(whole.encoded, size=whole.encoded.size + 1, checksum=whole.encoded.checksum ^ 1)
        await composed(store, JOB, replace(whole, encoded=wrong))

    with pytest.raises(CheckpointLostError):
        asyncio.run(run())
    assert KEY not in s3.objects


@pytest.mark.parametrize("sources", [[(True, 10)], LONG])
def test_the_commit_is_complete_once_the_store_shows_the_size(sources: list[tuple[bool, int]]) -> None:
    """Some stores have stored another request's body as the object's."""
    s3 = FakeS3()

    async def spoil(operation: str, _: object) -> None:
        if operation == "head":
            s3.objects[KEY] = b"<Tagging />"

    with pytest.raises(ManifestDamagedError, match="11 bytes instead of"):
        commit(s3, sources, before=spoil)


@pytest.mark.parametrize("operation", ["create_multipart_upload", "upload_part", "upload_part_copy"])
def test_an_answer_without_a_required_field_is_a_fault_to_try_again(
    operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies and other stores leave fields out; the product's own error names the field."""
    s3 = FakeS3()

    async def bare(self: FakeS3, **_: Any) -> dict[str, Any]:  # noqa: ARG001
        return {"CopyPartResult": {"LastModified": "now"}} if operation == "upload_part_copy" else {}

    async def run() -> None:
        store = pieces_of(s3, JOB)
        whole, _ = await whole_of(store, LONG)
        monkeypatch.setattr(FakeS3, operation, bare)
        state = await composed(store, JOB, whole, seconds=1)
        assert isinstance(state, CommitState), "the other parts are made"
        await composed(store, JOB, whole, state)

    with pytest.raises(RetryableError, match="has no (UploadId|ETag)"):
        asyncio.run(run())


@pytest.mark.parametrize(("operation", "sources"), [("put", [(True, 10)]), ("create", LONG), ("copy", LONG)])
def test_a_missing_answer_is_a_fault_to_try_again(operation: str, sources: list[tuple[bool, int]]) -> None:
    """Whether the manifest appeared is unknown; the next try finds out."""
    s3 = FakeS3()

    async def silent(asked: str, _: object) -> None:
        if asked == operation:
            raise ConnectTimeoutError(endpoint_url="https://s3")

    with pytest.raises(RetryableError, match="https://s3 failed: the connection was not established in time"):
        commit(s3, sources, before=silent)


@pytest.mark.parametrize("sources", [[(False, 100)], LONG])
def test_a_manifest_that_the_role_may_not_read_is_not_taken_for_anothers(sources: list[tuple[bool, int]]) -> None:
    """A KMS key may let a role write and not read: S3 takes the object, and answers 403 to HEAD."""

    async def deny(operation: str, _: Any) -> None:
        if operation == "head":
            raise refuse("403", status=403)

    s3 = FakeS3([])
    for _ in range(2):  # the second time, S3 answers that the object exists
        with pytest.raises(SourceRefusedError, match=r"cannot check s3://.*needs s3:GetObject, and kms:Decrypt"):
            commit(s3, sources, before=deny)
        s3.before = None
    commit(s3, sources)


def test_a_403_from_a_role_that_may_not_list_means_no_manifest() -> None:
    """A role without ``s3:ListBucket`` sees 403 in place of 404."""
    store = pieces_of(FakeS3(may_list=False), JOB)
    assert asyncio.run(composer.S3Composer(store, JOB, RUN, equal=False).found()) is None


def test_the_next_hop_plans_the_same_parts() -> None:
    """Bytes held in memory are stored at the hand-over; the plan follows from the sizes."""
    s3 = FakeS3()

    async def run() -> bytes:
        store = pieces_of(s3, JOB)
        whole, body = await whole_of(store, [(False, 20), (True, 500), (False, PART + 6), (True, 100)])
        state = await half(store, whole)
        later = tuple([s if isinstance(s, Piece) else await put(store, s.getvalue()) for s in whole.sources])
        await composed(store, JOB, replace(whole, sources=later), state)
        return body

    assert asyncio.run(run()) == stored(s3)


def test_no_part_begins_with_too_little_time_left() -> None:
    """A copy of gigabytes outlasts the reserve at the end: the hop was killed with all that it had copied."""
    s3, loop = FakeS3(), VirtualLoop()

    async def copy(operation: str, _: object) -> None:
        await asyncio.sleep(30 if operation == "copy" else 0)

    async def run() -> tuple[Any, float]:
        store = pieces_of(s3, JOB)
        whole, _ = await whole_of(store, [(True, 100)] * 40)
        s3.before = copy
        store_composer = composer.S3Composer(store, JOB, RUN, equal=False)
        state = await store_composer.compose(whole, ABOUT, None, lambda: 100 - loop.time())
        return state, loop.time()

    try:
        state, ended = loop.run_until_complete(run())
    finally:
        loop.close()
    assert (len(state.parts), ended) == (3 * 2 * JOB.concurrency, 90)
