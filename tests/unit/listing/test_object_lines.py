"""Lines of an object come whole and in order, while the next requests are under way."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from isal import igzip

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
