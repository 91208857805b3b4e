"""Reading ahead: the next page is fetched while one is worked on, within a bound, and no reader waits for ever."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from processor.aws import open_s3
from processor.errors import RetryableError
from processor.listing import Lister, Page, SequentialListing
from processor.signing import open_signer
from tests.builders import job_of
from tests.conftest import NOW
from tests.corpus import AWKWARD_KEYS
from tests.range_runs import RangeRun
from tests.scripted_s3 import FOREVER, Fault, ScriptedS3

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable

KEYS = [f"{number:04}.pdf" for number in range(60)]
JOB = job_of(page_size=10)
LONG = 20.0


@pytest.fixture
def s3(scripted_s3: ScriptedS3) -> ScriptedS3:
    """Give the server six pages."""
    scripted_s3.keys = KEYS
    return scripted_s3


async def soon(awaitable: Awaitable[Page | None]) -> Page | None:
    """Wait, but not for ever: a reader that is never woken is a failure, not a hang."""
    return await asyncio.wait_for(awaitable, LONG)


async def settle() -> None:
    """Run every task that needs no input."""
    for _ in range(50):
        await asyncio.sleep(0)


def page(number: int, listed: int = 10) -> Page:
    """Return one page of an endless listing."""
    return Page([f"{number}.pdf"], listed, f"token-{number}", f"{number}.pdf", is_last=False)


class Source:
    """
    A listing that counts its requests.

    :param ends: The exception after the given number of pages; ``None`` lets the listing wait for ever.
    """

    def __init__(self, pages: int = 1000, ends: BaseException | None = None) -> None:
        self.asked, self._pages, self._ends = 0, pages, ends

    async def pages(self) -> AsyncGenerator[Page]:
        for number in range(self._pages):
            self.asked += 1
            yield page(number)
        if self._ends is None:
            await asyncio.Event().wait()
        else:
            raise self._ends


def test_the_next_page_is_requested_while_this_one_is_signed(s3: ScriptedS3) -> None:
    """Each request arrives at S3 before the page before it is signed, let alone before its own page is asked for."""

    async def run() -> list[int]:
        requests: list[int] = []
        async with open_s3(s3.endpoint, 4) as (client, secret_key):
            signer = await open_signer(client, secret_key, bucket="reports", expiry_seconds=900, clock=lambda: NOW)
            async with SequentialListing(Lister(client, JOB, ()).pages(None, None), 20, JOB.page_size) as ahead:
                while (taken := await soon(ahead.next(None))) is not None:
                    due = len(requests) + (1 if taken.is_last else 2)
                    assert await asyncio.to_thread(s3.wait_for, "ListObjectsV2", due)
                    requests.append(s3.count("ListObjectsV2"))
                    assert len((await signer.sign(taken.keys)).urls) == JOB.page_size
                    ahead.written(taken)
        return requests

    counts = asyncio.run(run())
    for asked, bound in zip(counts, [2, 3, 4, 5, 6, 6], strict=True):
        assert bound <= asked <= bound + 1, "more than one page ahead was requested"
    assert counts[-1] == 6


def test_the_next_page_is_requested_before_all_of_this_one_has_come(s3: ScriptedS3) -> None:
    """Over a slow line, a page takes longer to come than S3 takes to begin it."""
    s3.keys, job = [f"{number:04}.pdf" for number in range(125)], replace(JOB, page_size=25)
    met = list[bool]()

    def wait_for_the_next() -> None:
        asked = s3.count("ListObjectsV2")
        if 2 < asked < 5:  # the first two come by botocore, which reads an answer whole
            met.append(s3.wait_for("ListObjectsV2", asked + 1))

    s3.halfway = wait_for_the_next

    async def run() -> list[str]:
        async with open_s3(s3.endpoint, 4) as (client, _):
            return [key async for page in Lister(client, job, ()).pages(None, None) for key in page.keys]

    assert asyncio.run(run()) == s3.keys
    assert met == [True, True]
    assert s3.count("ListObjectsV2") == 5


@pytest.mark.parametrize(("queue_max", "asked"), [(1, 1), (10, 1), (19, 1), (20, 2), (25, 2), (40, 4)])
def test_no_more_is_listed_than_the_queue_may_hold(queue_max: int, asked: int) -> None:
    """A fixed number of pages is requested before one is written; each page written makes room for one."""

    async def run() -> list[int]:
        source, counts = Source(), []
        async with SequentialListing(source.pages(), queue_max, 10) as ahead:
            for _ in range(4):
                await settle()
                counts.append(source.asked)
                taken = await soon(ahead.next(None))
                assert taken is not None
                await settle()
                assert source.asked == counts[-1], "taking a page made room before it was written"
                ahead.written(taken)
        return counts

    assert asyncio.run(run()) == list(range(asked, asked + 4))


def test_a_listing_that_never_waits_lets_its_reader_run() -> None:
    """Pages of a list of keys never wait: a short hop read all that fit, wrote one, and threw the others away."""

    async def run() -> list[int]:
        source, counts = Source(), []
        async with SequentialListing(source.pages(), 20_000, 10) as ahead:
            for _ in range(4):
                taken = await soon(ahead.next(None))
                assert taken is not None
                counts.append(source.asked)
                ahead.written(taken)
        return counts

    for number, asked in enumerate(asyncio.run(run()), 1):
        assert asked <= 3 * number


@pytest.mark.parametrize("pages", [0, 2])
@pytest.mark.parametrize("error", [RetryableError("gone"), ValueError("a bug"), asyncio.CancelledError()], ids=repr)
def test_each_end_of_a_listing_wakes_the_reader(error: BaseException, pages: int) -> None:
    """The reader takes the pages before it, then gets the error; it may wait already, or come later."""

    async def run(*, waits_already: bool) -> list[Page | None]:
        async with SequentialListing(Source(pages, error).pages(), 100, 10) as ahead:
            if not waits_already:
                await settle()
            taken = [await soon(ahead.next(None)) for _ in range(pages)]
            with pytest.raises(type(error)):
                await soon(ahead.next(None))
        return taken

    for waits_already in (True, False):
        assert asyncio.run(run(waits_already=waits_already)) == [page(number) for number in range(pages)]


def test_a_cancelled_listing_wakes_the_reader() -> None:
    """Also when it is cancelled while it waits for S3."""

    async def run() -> None:
        async with SequentialListing(Source(pages=0).pages(), 100, 10) as ahead:
            reader = asyncio.create_task(ahead.next(None))
            await settle()
            assert not reader.done()
            assert ahead._task is not None
            ahead._task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await soon(reader)

    asyncio.run(run())


@pytest.mark.parametrize("pages", [0, 1000], ids=["S3 does not answer", "the queue is full"])
def test_leaving_the_listing_ends_its_task(pages: int) -> None:
    """Whatever the task waits for when the hop ends, nothing continues afterwards."""

    async def run() -> set[Any]:
        async with SequentialListing(Source(pages).pages(), 20, 10):
            await settle()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(run()) == set()


def test_a_page_that_comes_after_a_timeout_is_not_lost() -> None:
    """A reader that stopped waiting still gets it and the pages after it, in order."""

    async def run() -> list[Page | None]:
        gate = asyncio.Event()

        async def late() -> AsyncGenerator[Page]:
            await gate.wait()
            for number in range(3):
                yield page(number)
            await asyncio.Event().wait()

        async with SequentialListing(late(), 100, 10) as ahead:
            taken = [await ahead.next(0.001), await ahead.next(-1.0)]
            gate.set()
            return taken + [await soon(ahead.next(None)) for _ in range(3)]

    assert asyncio.run(run()) == [None, None, page(0), page(1), page(2)]


def test_a_lasting_fault_comes_after_the_pages_before_it(s3: ScriptedS3) -> None:
    """Over HTTP: pages listed before S3 failed can be written, then the hop raises a retryable error."""
    s3.inject("ListObjectsV2", Fault.SLOW_DOWN, FOREVER, after=3)

    async def run() -> list[Page | None]:
        async with (
            open_s3(s3.endpoint, 4) as (client, _),
            SequentialListing(Lister(client, JOB, ()).pages(None, None), 100, JOB.page_size) as ahead,
        ):
            taken = [await soon(ahead.next(None)) for _ in range(3)]
            with pytest.raises(RetryableError, match="SlowDown"):
                await soon(ahead.next(None))
            return taken

    assert [key for taken in asyncio.run(run()) if taken is not None for key in taken.keys] == KEYS[:30]


def test_many_readers_list_each_awkward_key_once(s3: ScriptedS3) -> None:
    """Over HTTP; each page is requested by the key before it, never by a token."""
    s3.keys = sorted(AWKWARD_KEYS)
    job = replace(JOB, suffix="", page_size=4, concurrency=8)

    run = RangeRun()

    async def listed() -> None:
        async with open_s3(s3.endpoint, 8) as (client, _):
            await run.listed(client, job, queue_max=200)

    asyncio.run(listed())
    assert run.in_order == sorted(AWKWARD_KEYS)
    assert not run.heard
    assert not any("continuation-token" in query for _, query in s3.queries)


# aiohttp itself repeats a request that met a reset on a connection in use.
@pytest.mark.parametrize(("fault", "least"), [(Fault.SLOW_DOWN, 2), (Fault.UNAVAILABLE, 2), (Fault.RESET, 1)])
def test_the_readers_learn_of_each_slow_down(fault: Fault, least: int, s3: ScriptedS3) -> None:
    """At once, although botocore retries by itself and reports nothing."""
    s3.inject("ListObjectsV2", fault, 2, after=2)

    async def run() -> int:
        slowed = 0

        def on_slow() -> None:
            nonlocal slowed
            slowed += 1

        async with open_s3(s3.endpoint, 4) as (client, _):
            lister = Lister(client, JOB, ())
            lister.requests.on_slow = on_slow
            assert [key async for page in lister.pages(None, None) for key in page.keys] == KEYS
        return slowed

    assert least <= asyncio.run(run()) <= 2


def test_a_second_listing_of_a_client_learns_of_its_own_slow_downs(s3: ScriptedS3) -> None:
    """A client of the desk stays open from hop to hop; the handlers of an earlier hop are removed."""

    async def run() -> list[int]:
        slowed = [0, 0]
        async with open_s3(s3.endpoint, 4) as (client, _):
            for number in range(len(slowed)):
                s3.inject("ListObjectsV2", Fault.SLOW_DOWN, 2, after=2)
                lister = Lister(client, JOB, ())
                lister.requests.on_slow = partial(_count, slowed, number)
                assert [key async for page in lister.pages(None, None) for key in page.keys] == KEYS
        return slowed

    assert asyncio.run(run()) == [2, 2]


def _count(slowed: list[int], number: int) -> None:
    slowed[number] += 1
