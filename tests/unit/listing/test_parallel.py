"""Many list requests at once through the Lister: order, room, slowing down, falling back."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.errors import RetryableError, SourceRefusedError
from processor.listing import Lister, Page, ParallelListing
from tests.builders import job_of
from tests.fakes import FakeS3, refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

NUMBERS = [f"{n:05d}.pdf" for n in range(2000)]


def read(  # noqa: PLR0913 - each is a fact of the test
    s3: FakeS3,
    *,
    concurrency: int = 8,
    page_size: int = 20,
    queue_max: int = 1000,
    cursor: str | None = None,
    start_after: str | None = None,
    at_page: Callable[[int, ParallelListing], Awaitable[None]] | None = None,
    **fields: Any,
) -> tuple[list[Page], list[str], int]:
    """Read a listing to its end; return its pages, why it fell back, and the requests that it made."""
    job = job_of(concurrency=concurrency, page_size=page_size, **fields)
    client: Any = s3

    async def run() -> tuple[list[Page], list[str], int]:
        pages: list[Page] = []
        heard: list[str] = []
        lister = Lister(client, job, ())
        async with ParallelListing(lister, cursor, start_after, queue_max, heard.append) as readers:
            while (page := await asyncio.wait_for(readers.next(None), 20)) is not None:
                pages.append(page)
                if at_page is not None:
                    await at_page(len(pages), readers)
                readers.written(page)
                if page.is_last:
                    break
        assert asyncio.all_tasks() == {asyncio.current_task()}, "nothing outlives the listing"
        return pages, heard, lister.requests

    return asyncio.run(run())


def keys_of(pages: list[Page]) -> list[str]:
    """Return all keys of some pages."""
    return [key for page in pages for key in page.keys]


@settings(max_examples=60)
@given(
    keys=st.sets(st.text("ab/1é\U0001f600", min_size=1, max_size=5), max_size=150),
    concurrency=st.integers(2, 12),
    page_size=st.integers(1, 9),
    queue_max=st.integers(1, 100),
    seed=st.integers(0, 999),
)
def test_pages_come_in_order_however_late_the_answers_are(
    keys: set[str], concurrency: int, page_size: int, queue_max: int, seed: int
) -> None:
    """Every key once, the last page says that it is, and each page says where to continue."""
    rng = random.Random(seed)

    async def dawdle(_: str, __: object) -> None:
        for _turn in range(rng.randint(0, 6)):
            await asyncio.sleep(0)

    s3 = FakeS3(sorted(keys), before=dawdle)
    pages, heard, _ = read(s3, concurrency=concurrency, page_size=page_size, queue_max=queue_max, suffix="")
    assert keys_of(pages) == sorted(keys)
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert all(page.cursor is None for page in pages)
    assert all(page.last_key == page.keys[-1] for page in pages if page.keys)
    assert not heard


def test_requests_are_under_way_at_once_and_never_more_than_the_job_allows() -> None:
    """As many as it allows, once the first pages have shown where to."""
    flying, most = 0, 0

    async def count(_: str, __: object) -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        for _turn in range(50):
            await asyncio.sleep(0)
        flying -= 1

    pages, _, requests = read(FakeS3(NUMBERS, before=count), concurrency=8)
    assert keys_of(pages) == NUMBERS
    assert most == 8
    assert requests <= 1.5 * len(NUMBERS) / 20


@pytest.mark.parametrize("queue_max", [20, 60, 200])
def test_no_more_is_known_or_asked_for_than_the_queue_may_hold(queue_max: int) -> None:
    """A reader far ahead of the order stops; what the pipeline has not written counts too."""
    s3, written = FakeS3(NUMBERS), 0

    async def look(_: int, readers: ParallelListing) -> None:
        nonlocal written
        for _turn in range(40):
            await asyncio.sleep(0)
        assert len(s3.sent("list")) * 20 <= 2 * (written + queue_max) + 40, "overlaps at most double what is asked"
        assert readers._held <= queue_max
        written += 20

    pages, _, _ = read(s3, queue_max=queue_max, at_page=look)
    assert keys_of(pages) == NUMBERS


def test_a_cursor_is_followed_until_a_key_says_where_to_go_on() -> None:
    """A token from an operator or an older version: its page comes first, then the ranges begin after its last key."""
    s3 = FakeS3(NUMBERS)
    pages, _, _ = read(s3, cursor="token:00099.pdf")
    assert keys_of(pages) == NUMBERS[100:]
    asked = [request for _, request in s3.sent("list")]
    assert asked[0]["ContinuationToken"] == "token:00099.pdf"
    assert not any("ContinuationToken" in request for request in asked[1:])
    pages, _, _ = read(FakeS3(NUMBERS), cursor="token:00009.pdf", start_after="00099.pdf")
    assert keys_of(pages) == NUMBERS[100:], "a token may lie pages before the last key"
    pages, _, _ = read(FakeS3(NUMBERS), cursor="token:01990.pdf")
    assert keys_of(pages) == NUMBERS[1991:]
    assert pages[-1].is_last


def test_a_key_range_ends_the_listing() -> None:
    """Exclusive where it begins, inclusive where it ends; nothing is guessed beyond the end."""
    s3 = FakeS3(NUMBERS)
    pages, _, _ = read(s3, start_after="00100.pdf", end_at="00900.pdf")
    assert keys_of(pages) == NUMBERS[101:901]
    assert pages[-1].is_last
    assert max(request.get("StartAfter", "") for _, request in s3.sent("list")) < "00920.pdf"


def test_a_server_that_contradicts_itself_is_listed_in_turn() -> None:
    """It says why, once, and no key is lost or repeated."""
    s3 = FakeS3(NUMBERS)
    faithful = s3.list_objects_v2

    async def deviant(**request: Any) -> dict[str, Any]:
        after = request.get("StartAfter")
        if after is not None and after not in NUMBERS:
            del request["StartAfter"]
        return await faithful(**request)

    s3.list_objects_v2 = deviant  # type: ignore[method-assign]
    pages, heard, _ = read(s3)
    assert keys_of(pages) == NUMBERS
    assert heard == ["the server does not start after the key that it is given"]
    assert any("ContinuationToken" in request for _, request in s3.sent("list"))


def test_a_server_that_ignores_start_after_is_listed_in_turn() -> None:
    """Also from the first request on: what it lists again is dropped."""
    s3 = FakeS3(NUMBERS)
    faithful = s3.list_objects_v2

    async def deviant(**request: Any) -> dict[str, Any]:
        request.pop("StartAfter", None)
        return await faithful(**request)

    s3.list_objects_v2 = deviant  # type: ignore[method-assign]
    pages, heard, _ = read(s3, start_after="00500.pdf")
    assert keys_of(pages) == NUMBERS[501:]
    assert len(heard) == 1


def test_a_server_without_order_is_refused_as_before() -> None:
    """The plain chain, which continues then, says that directory buckets are not listed in key order."""
    s3 = FakeS3(NUMBERS)
    faithful = s3.list_objects_v2

    async def shuffled(**request: Any) -> dict[str, Any]:
        answer = await faithful(**request)
        answer["Contents"].reverse()
        return answer

    s3.list_objects_v2 = shuffled  # type: ignore[method-assign]
    with pytest.raises(SourceRefusedError, match="not listed in key order"):
        read(s3)


def failing(s3: FakeS3, fails: Callable[[dict[str, Any]], bool]) -> FakeS3:
    """Let some requests fail for good: botocore's retries lie below this client."""

    async def fail(operation: str, request: Any) -> None:
        await asyncio.sleep(0)
        if operation == "list" and fails(request):
            raise refuse("SlowDown", "ListObjectsV2", 503)

    s3.before = fail
    return s3


def test_a_fault_ahead_of_the_order_ends_nothing() -> None:
    """It may be over once the order comes there."""
    failed = 0

    def now_and_then(request: dict[str, Any]) -> bool:
        nonlocal failed
        ahead = request.get("StartAfter", "0") not in {"0", *NUMBERS}
        failed += ahead
        return ahead and failed % 3 == 0

    pages, heard, _ = read(failing(FakeS3(NUMBERS), now_and_then))
    assert keys_of(pages) == NUMBERS
    assert failed > 3
    assert not heard


def test_a_server_that_fails_on_every_guess_is_listed_in_turn() -> None:
    """Three in a row are no accident."""
    pages, heard, _ = read(
        failing(FakeS3(NUMBERS), lambda request: request.get("StartAfter", "0") not in {"0", *NUMBERS})
    )
    assert keys_of(pages) == NUMBERS
    assert heard == ["the server fails on requests that start after a key of no object"]


def _token(request: dict[str, Any]) -> str:
    return str(request.get("ContinuationToken", "")).removeprefix("token:")


def test_a_fault_that_the_order_waits_for_ends_the_listing() -> None:
    """The pages before it are taken."""
    s3 = failing(FakeS3(NUMBERS), lambda request: max(request.get("StartAfter", ""), _token(request)) > "00500.pdf")
    with pytest.raises(RetryableError, match="SlowDown"):
        read(s3)


def test_slowing_down_lowers_the_number_of_requests_under_way() -> None:
    """While botocore tries again underneath, the readers become fewer, and later more again."""
    flying, most = 0, [0]

    async def count(_: str, __: object) -> None:
        nonlocal flying
        flying += 1
        most[-1] = max(most[-1], flying)
        for _turn in range(50):  # turns and not seconds: no machine is too busy for them
            await asyncio.sleep(0)
        flying -= 1

    async def slow_down(page: int, readers: ParallelListing) -> None:
        if page == 60:
            for _ in range(2):
                readers._lister.on_slow()
                readers._throttle._spared = 0
        if page == 60 + 16:  # what was under way is in
            most.append(0)
        if page == 60 + 24:
            most.append(0)

    keys = [f"{n:05d}.pdf" for n in range(8000)]
    pages, _, _ = read(FakeS3(keys, before=count), concurrency=16, at_page=slow_down)
    assert keys_of(pages) == keys
    assert most[0] == 16
    assert most[1] <= 8
    assert most[2] >= 14


@pytest.mark.parametrize("stop_at", [1, 7])
def test_leaving_stops_every_request(stop_at: int) -> None:
    """At a hand-over nothing continues after the hop."""

    async def run() -> set[Any]:
        client: Any = FakeS3(NUMBERS)
        lister = Lister(client, job_of(concurrency=8, page_size=20), ())
        async with ParallelListing(lister, None, None, 1000, lambda _: None) as readers:
            for _ in range(stop_at):
                page = await readers.next(None)
                assert page is not None
                readers.written(page)
            client.before = lambda *_: asyncio.Event().wait()
            for _ in range(20):
                await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(run()) == set()
