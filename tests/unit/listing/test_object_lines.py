"""Lines of an object: whole and in order, while the next requests are under way."""

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
    Has one object, and counts what is asked of it at once.

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
def test_every_line_from_a_place_on_comes_once_and_in_order(start: int, *, packed: bool) -> None:
    """Whichever request is answered first."""

    async def run() -> list[bytes]:
        file = await opened(Store(igzip.compress(CONTENT) if packed else CONTENT))
        return [line async for lines, _ in file.lines(start, 7) for line in lines]

    assert asyncio.run(run()) == LINES[start // 9 :]


def test_the_next_requests_are_under_way_while_lines_are_worked_on() -> None:
    """A request takes as long as a block's keys take to sign: one after the other, half of a refresh was waiting."""

    async def run() -> list[int]:
        store, seen = Store(CONTENT), list[int]()
        async for _, end in (await opened(store)).lines(0, 7):
            used = 1 + -(-end // object_lines.BLOCK)  # the first bytes tell whether it is gzip
            seen.append(store.asked - used)
        return seen

    seen = asyncio.run(run())
    assert seen[0] == 0, "who wants the first line alone asks for no more"
    assert max(seen) == AHEAD


def test_whoever_stops_leaves_no_request_behind() -> None:
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
