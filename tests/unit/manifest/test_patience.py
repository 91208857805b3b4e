"""A write that fails for longer than the SDK tries costs only a pause, as long as the hop has time."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ParamValidationError, ReadTimeoutError

from processor.errors import PresignSiblingsError, RetryableError
from processor.job import CommitState, EncodedBytes
from processor.manifest import Patience, S3Composer, S3PieceStore, Whole
from processor.manifest.patience import DROP_SECONDS, PAUSE_SECONDS
from tests.builders import job_of
from tests.fakes import FakeS3, refuse
from tests.simulation.loop import VirtualLoop
from tests.unit.manifest.ranges import ABOUT, PART, RUN, put

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

JOB = job_of()
KEY = JOB.manifest_key_of(RUN)
BODY = b"0123456789" * PART
TRY_SECONDS = 15.0  # until the SDK gives a request up
BUSY = refuse("SlowDown", status=503)


class Writing:
    """
    A store in virtual time in which an operation fails until the storm is over.

    :param operation: The operation that fails.
    :param until:     Second at which the storm ends.
    :param ends:      Second at which the hop must stop.
    """

    def __init__(self, operation: str, error: Exception, until: float = 60.0, ends: float = 900.0) -> None:
        self.s3, self.loop, self.pauses = FakeS3(before=self._fail), VirtualLoop(), list[str]()
        self._operation, self._error, self._until = operation, error, until
        patience = Patience(lambda: ends - self.loop.time(), self.pauses.append)
        client: Any = self.s3
        self.store = S3PieceStore(client, JOB, RUN, "holder", patience)
        self.store.part = self.s3.min_part = PART

    async def _fail(self, operation: str, _: object) -> None:
        if operation == self._operation and self.loop.time() < self._until:
            await asyncio.sleep(TRY_SECONDS)
            raise self._error

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do some work; return its result."""
        try:
            return self.loop.run_until_complete(work)
        finally:
            self.loop.close()

    async def long(self) -> str:
        """Store a piece in parts; return its key."""
        piece = self.store.open()
        try:
            for start in range(0, len(BODY), PART):
                body = self.store.bodies.new()
                body.write(BODY[start : start + PART])
                await piece.add(body)
            return (await piece.close()).key
        except BaseException:
            await piece.abort()
            raise

    async def commit(self, *sizes: int) -> object:
        """Compose the manifest of some pieces; return its metadata."""
        sources = [await put(self.store, BODY[:size]) for size in sizes]
        body = b"".join(BODY[:size] for size in sizes)
        checksum = zlib.crc32(body)
        self.whole = Whole(tuple(sources), EncodedBytes(len(body), checksum, len(body), checksum))
        about = await self.compose(None)
        assert isinstance(about, CommitState) or self.s3.objects[KEY] == body
        return about

    async def compose(self, state: CommitState | None) -> CommitState | Mapping[str, str]:
        """Compose the manifest from the state of an earlier hop."""
        return await S3Composer(self.store, JOB, RUN, equal=False).compose(self.whole, ABOUT, state, self.time_left)

    def time_left(self) -> float:
        """Return the seconds that the commit has."""
        return self.store.patience.time_left()


@pytest.mark.parametrize("operation", ["create", "part", "complete"])
def test_a_piece_waits_while_its_store_is_busy(operation: str) -> None:
    """The hop lost all that it had listed, up to a quarter of an hour of work."""
    writing = Writing(operation, BUSY)
    assert writing.s3.objects[writing.run(writing.long())] == BODY
    assert 60 <= writing.loop.time() < 60 + TRY_SECONDS + 2 * PAUSE_SECONDS


@pytest.mark.parametrize(
    "error",
    [
        BUSY,
        refuse("InternalError", status=500),
        refuse("RequestTimeout"),
        ConnectTimeoutError(endpoint_url="s3"),
        ReadTimeoutError(endpoint_url="s3"),
        EndpointConnectionError(endpoint_url="s3"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_a_short_piece_waits_too_and_each_pause_is_reported(error: Exception) -> None:
    """The reader of the log sees why nothing moves."""
    writing = Writing("put", error)
    piece = writing.run(put(writing.store, BODY))
    assert writing.s3.objects[piece.key] == BODY
    assert len(writing.pauses) == 3
    assert all("holder-000001" in reason for reason in writing.pauses)


def test_parts_that_wait_together_report_each_pause_once() -> None:
    """Eight may be under way, each with the same line."""
    writing = Writing("part", BUSY, until=30)
    writing.run(writing.long())
    assert len(writing.s3.sent("part")) > 2 * len(writing.pauses)
    assert len(writing.pauses) == 2


@pytest.mark.parametrize(
    ("operation", "work"),
    [
        ("part", lambda writing: writing.long()),
        ("copy", lambda writing: writing.commit(500, 500)),
        ("put", lambda writing: writing.commit(10)),
    ],
)
@pytest.mark.parametrize("ends", [4.0, 22.0, 50.0, 200.0])
def test_a_storm_that_outlasts_the_hop_ends_it_in_time(
    operation: str, work: Callable[[Writing], Any], ends: float
) -> None:
    """The first try is the SDK's own, as long as it takes; later tries end with the hop's time."""
    writing = Writing(operation, BUSY, until=999, ends=ends)
    with pytest.raises(RetryableError, match="SlowDown"):
        writing.run(work(writing))
    assert writing.loop.time() <= max(TRY_SECONDS, ends - DROP_SECONDS)


def test_a_hanging_try_is_cut_off_when_the_time_is_over() -> None:
    """The SDK alone would wait for minutes, and Lambda would kill the hop."""
    writing = Writing("put", BUSY, until=1, ends=60)

    async def hang(operation: str, detail: object) -> None:
        await writing._fail(operation, detail)
        await asyncio.sleep(360)

    writing.s3.before = hang
    with pytest.raises(RetryableError, match="SlowDown"):
        writing.run(put(writing.store, BODY))
    assert writing.loop.time() == 60 - DROP_SECONDS


@pytest.mark.parametrize(
    "error",
    [
        refuse("AccessDenied", status=403),
        refuse("NoSuchBucket", status=404),
        refuse("InvalidRequest"),
        refuse("NotImplemented", status=501),
        ParamValidationError(report="a bug"),
    ],
    ids=lambda error: str(error)[:40],
)
@pytest.mark.parametrize("operation", ["create", "part", "complete"])
def test_a_refusal_is_raised_at_once(operation: str, error: Exception) -> None:
    """Waiting for a permanent refusal would cost a function's whole time, again and again."""
    writing = Writing(operation, error)
    with pytest.raises(PresignSiblingsError):
        writing.run(writing.long())
    assert writing.pauses == []
    assert writing.loop.time() <= 2 * TRY_SECONDS  # parts that wait for their turn are refused too


@pytest.mark.parametrize(
    ("operation", "sizes"),
    [("put", (10,)), ("get", (10,)), ("create", (500,)), ("copy", (100,) * 20), ("complete", (500,))],
)
def test_the_commit_waits_like_any_write(operation: str, sizes: tuple[int, ...]) -> None:
    """Otherwise the listing before it would be done again."""
    writing = Writing(operation, BUSY)
    assert writing.run(writing.commit(*sizes)) == ABOUT
    assert writing.pauses
    assert list(writing.s3.closed.values()) == ["completed"] * (sizes != (10,))


def test_a_commit_whose_last_request_outlasts_the_hop_hands_over_its_parts() -> None:
    """The hop failed with all that it had listed and copied; one that has made no part fails, and is tried again."""
    writing = Writing("complete", BUSY, until=100, ends=50)

    async def hops() -> object:
        state = await writing.commit(500, 10)
        assert isinstance(state, CommitState)
        assert writing.loop.time() <= 50 - DROP_SECONDS
        with pytest.raises(RetryableError, match="SlowDown"):
            await writing.compose(state)
        assert writing.s3.closed == {}
        await asyncio.sleep(100)
        return await writing.compose(state)

    assert writing.run(hops()) == ABOUT
    assert list(writing.s3.closed.values()) == ["completed"]


@pytest.mark.parametrize(("operation", "sizes"), [("put_object", (10,)), ("complete_multipart_upload", (500,))])
def test_a_commit_that_lost_its_answer_finds_its_manifest_after_the_pause(
    operation: str, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try meets the condition, or finds no upload; only this run writes under its key."""
    writing, real = Writing("none", BUSY), getattr(FakeS3, operation)

    async def lost(self: FakeS3, **request: Any) -> Any:
        exists = KEY in self.objects
        answer = await real(self, **request)
        if request["Key"] == KEY and not exists:
            raise ReadTimeoutError(endpoint_url="s3")
        return answer

    monkeypatch.setattr(FakeS3, operation, lost)
    assert writing.run(writing.commit(*sizes)) == {"job-id": RUN, **ABOUT}
    assert len(writing.pauses) == 1
