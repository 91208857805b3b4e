"""Lines of an object come whole and in order, while the next requests are under way."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from botocore.exceptions import ClientError, EndpointConnectionError
from isal import igzip

from processor.errors import RetryableError, SourceRefusedError
from processor.listing.keys import object_lines
from processor.listing.keys.object_lines import AHEAD, ObjectLines

LINES = [b"%04d.pdf" % number for number in range(100)]
CONTENT = b"\n".join(LINES) + b"\n"


class Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self) -> bytes:
        return self._data


class Store:
    """
    An S3 of one object that counts the requests under way.

    :param patience: Turns of the loop that an answer takes.
    """

    def __init__(self, content: bytes, patience: int = 20) -> None:
        self._content, self._patience = content, patience
        self.asked = self.under_way = 0

    async def head_object(self, **_: object) -> dict[str, Any]:
        return {"ContentLength": len(self._content), "ETag": '"e"'}

    async def get_object(self, *, Range: str, **_: object) -> dict[str, Any]:  # noqa: N803 - S3's name
        self.asked, self.under_way = self.asked + 1, self.under_way + 1
        try:
            for _turn in range(self._patience):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        return {"Body": Body(self._content[first : last + 1])}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_lines, "BLOCK", 64)


async def opened(store: Store) -> ObjectLines:
    """Return the lines of the store's object."""
    found = ObjectLines(store, "reports", "keys.txt")
    await found.open()
    return found


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("start", [0, 9, 9 * 57])
def test_every_line_after_a_place_comes_once_and_in_order(start: int, *, packed: bool) -> None:
    """Whichever request is answered first."""

    async def run() -> list[bytes]:
        file = await opened(Store(igzip.compress(CONTENT) if packed else CONTENT))
        return [line async for lines, _ in file.lines(start, 7) for line in lines]

    assert asyncio.run(run()) == LINES[start // 9 :]


@pytest.mark.parametrize("content", [b"", b"a\n", b"a", b"a\nb", b"a\n\nb"])
def test_the_place_after_the_last_line_is_the_end_whether_or_not_the_line_has_one(content: bytes) -> None:
    """A hop that ends there continues there; an empty object has no lines, and no bytes to ask for."""

    async def run() -> list[int]:
        return [end async for _, end in (await opened(Store(content))).lines(0, 1)]

    assert (asyncio.run(run()) or [0])[-1] == len(content)


def test_the_next_requests_are_under_way_while_lines_are_processed() -> None:
    """A request takes as long as signing a block's keys: one after the other, a refresh waited half of its time."""

    async def run() -> list[int]:
        store, seen = Store(CONTENT), list[int]()
        async for _, end in (await opened(store)).lines(0, 7):
            used = 1 + -(-end // object_lines.BLOCK)  # the first bytes show whether it is gzip
            seen.append(store.asked - used)
        return seen

    seen = asyncio.run(run())
    assert seen[0] == 0, "the first line alone needs one request"
    assert max(seen) == AHEAD


def test_no_request_is_left_when_the_reader_stops() -> None:
    """The client is closed next."""

    async def run() -> tuple[int, int]:
        store = Store(CONTENT)
        file = await opened(store)
        async with aclosing(file.lines(0, 30)) as lines:
            async for _ in lines:
                break
        left = store.under_way, len(asyncio.all_tasks()) - 1
        assert await file.first_line() == LINES[0]
        return left

    assert asyncio.run(run()) == (0, 0)


class Faulty(Store):
    """
    A store whose answers break off, or are refused, or hold other bytes than were requested.

    :param faults: What happens to the first answers.
    """

    def __init__(self, *faults: Exception | bytes) -> None:
        super().__init__(CONTENT, 0)
        self._faults = list(faults)

    async def get_object(self, **asked: Any) -> dict[str, Any]:
        found = await super().get_object(**asked)
        fault = self._faults.pop(0) if self._faults else None
        if isinstance(fault, ClientError):
            raise fault
        return found if fault is None else {"Body": Broken(fault)}


class Broken:
    def __init__(self, fault: Exception | bytes) -> None:
        self._fault = fault

    async def read(self) -> bytes:
        if isinstance(self._fault, Exception):
            raise self._fault
        return self._fault


def first_line_of(store: Store) -> bytes:
    """Open the store's object, and read its first line."""

    async def run() -> bytes:
        return await (await opened(store)).first_line()

    return asyncio.run(run())


CUT = ClientPayloadError("broken off")


def refused(code: str) -> ClientError:
    """Return S3's refusal."""
    return ClientError({"Error": {"Code": code}}, "GetObject")


def test_a_body_that_breaks_off_is_requested_again() -> None:
    """The SDK itself repeats requests, but not the bytes that come after the head of an answer."""
    assert first_line_of(Faulty(CUT, CUT, CUT)) == LINES[0]
    with pytest.raises(RetryableError, match="the connection was closed before the answer was complete"):
        first_line_of(Faulty(CUT, CUT, CUT, CUT))


@pytest.mark.parametrize("code", ["PreconditionFailed", "412"])
def test_an_object_that_changes_while_it_is_read_ends_the_job(code: str) -> None:
    """A place in it now means another key. Any other refusal is reported as it is."""
    with pytest.raises(SourceRefusedError, match="has changed while the job read it"):
        first_line_of(Faulty(refused(code)))
    with pytest.raises(SourceRefusedError, match="AccessDenied"):
        first_line_of(Faulty(refused("AccessDenied")))


def test_other_bytes_than_were_requested_give_no_keys() -> None:
    """Neither the range nor the whole object: a line would be half of a key."""
    assert first_line_of(Faulty(b"0", b"0000")) == LINES[0]
    with pytest.raises(RetryableError, match="the bytes that came are not those that were requested"):
        first_line_of(Faulty(*[b"0"] * 4))


def test_a_store_that_cannot_be_reached_is_asked_again_by_the_next_delivery() -> None:
    """The source is not refused: nobody has seen it."""

    class Away(Store):
        async def head_object(self, **_: object) -> dict[str, Any]:
            raise EndpointConnectionError(endpoint_url="https://s3.example")

    with pytest.raises(RetryableError, match="cannot read s3://reports/keys.txt"):
        first_line_of(Away(CONTENT))
