"""Many ranges listed at once give every key once, whatever the server does."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.errors import RetryableError, SourceRefusedError
from processor.listing import KeyMap, Lister, RangeListing, range_listing, request_time
from processor.listing.request_time import RequestTime, RequestTimes
from tests.builders import job_of
from tests.examples import examples
from tests.fakes import FakeS3, refuse
from tests.filer import Filer
from tests.range_runs import WHOLE, RangeRun, known

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = [f"{n:05d}.pdf" for n in range(2000)]


class Run(RangeRun):
    """A run on an S3 in memory."""

    def hop(self, s3: FakeS3, *, concurrency: int = 8, page_size: int = 20, **more: Any) -> Run:
        """List during one Lambda invocation."""
        of_listing = {name: more.pop(name) for name in ("queue_max", "key_map", "pages", "at_page") if name in more}
        job = job_of(concurrency=concurrency, page_size=page_size, **more)

        async def run() -> None:
            await self.listed(s3, job, **of_listing)
            assert asyncio.all_tasks() == {asyncio.current_task()}, "no request outlives the listing"

        asyncio.run(run())
        return self


LETTERS = "ab0/\x7f\xff\ud7ff\ue000\U0010ffff"
KEYS = st.sets(
    st.text(LETTERS, min_size=1, max_size=6)
    | st.from_regex(r"\A[0-9]{1,5}\Z")
    | st.from_regex(r"\Ak/[0-9a-f]{3}\Z")
    | st.from_regex(r"\A2026/0[1-9]/[0-3][0-9]/[ab]\Z"),
    max_size=300,
)


@examples(120)
@given(
    keys=KEYS,
    concurrency=st.integers(2, 20),
    page_size=st.integers(1, 30),
    queue_max=st.integers(1, 300),
    hops=st.lists(st.integers(1, 12), max_size=4),
    mapped=st.sets(st.text(LETTERS, max_size=4), max_size=20),
    every=st.integers(1, 100),
    seed=st.integers(0, 2**16),
)
def test_every_key_comes_once_and_in_order(  # noqa: PLR0913, PLR0917 - drawn
    keys: set[str],
    concurrency: int,
    page_size: int,
    queue_max: int,
    hops: list[int],
    mapped: set[str],
    every: int,
    seed: int,
) -> None:
    """Whatever the keys, the hand-overs and the order of the answers, and with a wrong map."""
    rng, run = random.Random(seed), Run()

    async def dawdle(_: str, __: object) -> None:
        for _turn in range(rng.randint(0, 6)):
            await asyncio.sleep(0)

    key_map = KeyMap(tuple(sorted(mapped)), tuple(range(every, every * (len(mapped) + 1), every))) if mapped else None
    for pages in [*hops, None]:
        run.hop(
            FakeS3(sorted(keys), before=dawdle),
            concurrency=concurrency,
            page_size=page_size,
            queue_max=queue_max,
            pages=pages,
            key_map=key_map,
            suffix="",
        )
    assert run.in_order == sorted(keys)
    assert all(found.done for found in run.ranges)
    assert not run.heard


@examples(60)
@given(
    lasting=KEYS, passing=KEYS, concurrency=st.integers(2, 16), page_size=st.integers(2, 20), seed=st.integers(0, 99)
)
def test_keys_that_exist_throughout_come_once_while_the_bucket_changes(
    lasting: set[str], passing: set[str], concurrency: int, page_size: int, seed: int
) -> None:
    """Keys that come and go between the requests may or may not be listed; they affect no other key."""
    rng, passing, s3 = random.Random(seed), passing - lasting, FakeS3(sorted(lasting))
    bucket = set(lasting)

    async def change(_: str, __: object) -> None:
        for key in rng.sample(sorted(passing), min(len(passing), 2)):
            bucket.symmetric_difference_update({key})
        s3.keys, s3._listed = sorted(bucket), (("", -1, -1), [])

    s3.before = change
    run = Run().hop(s3, concurrency=concurrency, page_size=page_size, suffix="")
    assert [key for key in run.in_order if key in lasting] == sorted(lasting)
    assert run.in_order == sorted(set(run.in_order))


def test_requests_run_at_once_up_to_the_jobs_limit() -> None:
    """All of them, once the first pages have shown where to split; few in vain."""
    flying, most = 0, 0

    async def count(_: str, __: object) -> None:
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        for _turn in range(50):
            await asyncio.sleep(0)
        flying -= 1

    run = Run().hop(FakeS3(NUMBERS, before=count), concurrency=8)
    assert run.in_order == NUMBERS
    assert most == 8
    assert run.requests <= 1.5 * len(NUMBERS) / 20


@pytest.mark.parametrize("queue_max", [20, 60, 200])
def test_no_more_is_listed_or_requested_than_the_queue_may_hold(queue_max: int) -> None:
    """Keys not yet written count, and a whole page for each request under way; one page always fits."""

    async def look(_: int, listing: RangeListing) -> None:
        for _turn in range(40):
            await asyncio.sleep(0)
            assert listing._unwritten + 20 * len(listing._flying) <= max(20, queue_max)

    assert Run().hop(FakeS3(NUMBERS), queue_max=queue_max, at_page=look).in_order == NUMBERS


def test_with_a_slow_writer_one_range_ends_before_the_next_begins() -> None:
    """Each range that has begun holds up to a part in memory; taking pages of the least keys first keeps them few."""
    run, begun = Run(), list[int]()

    async def look(_: int, listing: RangeListing) -> None:
        for _turn in range(40):
            await asyncio.sleep(0)
        begun.append(sum(each.number in run.keys and not each.done for each in listing.partition()))

    assert run.hop(FakeS3(NUMBERS), queue_max=200, at_page=look).in_order == NUMBERS
    assert max(begun) <= 1, "it would be 4 if pages were written in the order of arrival"


def test_a_short_listing_costs_few_extra_requests() -> None:
    """Most prefixes are small; idle readers must cost nothing."""
    for pages in range(1, 10):
        keys = NUMBERS[: pages * 10]
        run = Run().hop(FakeS3(keys), concurrency=64, page_size=10)
        assert run.in_order == keys
        assert run.requests <= 1.5 * pages + 3


def test_an_empty_listing_is_one_page() -> None:
    """The manifest takes its dates from a page."""
    run = Run().hop(FakeS3([]))
    assert run.keys == {0: []}
    assert run.ranges == (replace(WHOLE, done=True),)


def test_a_hand_over_loses_only_the_requests_under_way() -> None:
    """The next hop continues every range from its place."""
    run = Run().hop(FakeS3(NUMBERS), pages=40)
    assert len(run.ranges) >= 4
    first = run.requests
    run.hop(FakeS3(NUMBERS))
    assert run.in_order == NUMBERS
    assert run.requests - first <= 1.5 * 60
    assert first <= 40 + 8 + 2


def test_a_cursor_is_followed_until_a_page_has_a_key() -> None:
    """A token that an operator gives: its page comes first, then the ranges begin after its last key."""
    s3, run = FakeS3(NUMBERS), Run()
    run.ranges = (replace(WHOLE, cursor="token:00099.pdf"),)
    assert run.hop(s3).in_order == NUMBERS[100:]
    asked = [request for _, request in s3.sent("list")]
    assert asked[0]["ContinuationToken"] == "token:00099.pdf"
    assert not any("ContinuationToken" in request for request in asked[1:])
    run = Run()
    run.ranges = (replace(WHOLE, after="00099.pdf", place="00099.pdf", cursor="token:00009.pdf"),)
    assert run.hop(FakeS3(NUMBERS)).in_order == NUMBERS[100:], "a token may lie pages before the last key"
    run = Run()
    run.ranges = (replace(WHOLE, cursor="token:01990.pdf"),)
    assert run.hop(FakeS3(NUMBERS)).in_order == NUMBERS[1991:]


def test_a_key_range_bounds_the_listing() -> None:
    """Exclusive at its start, inclusive at its end; no request goes beyond the end."""
    s3, run = FakeS3(NUMBERS), Run()
    run.ranges = (replace(WHOLE, after="00100.pdf", place="00100.pdf"),)
    assert run.hop(s3, end_at="00900.pdf").in_order == NUMBERS[101:901]
    assert max(request.get("StartAfter", "") for _, request in s3.sent("list")) < "00900.pdf"


def test_guesses_never_leave_the_prefix() -> None:
    """Each guess is a valid key of this listing."""
    keys = [f"in/{n:05d}" for n in range(3000)] + [f"out/{n}" for n in range(50)]
    s3 = FakeS3(keys)
    assert Run().hop(s3, prefix="in/", suffix="").in_order == keys[:3000]
    asked = [request.get("StartAfter", "in/") for _, request in s3.sent("list")]
    assert all(after.startswith("in/") and after.isascii() for after in asked)
    assert any(after not in {*keys, "in/"} for after in asked)


def test_the_next_run_begins_with_the_keys_learnt() -> None:
    """Its ranges balance from the start, and hardly a request is in vain."""
    keys, job = [f"{n:06d}.pdf" for n in range(30_000)], job_of(concurrency=8, page_size=100)

    async def run(key_map: KeyMap | None) -> tuple[KeyMap, int]:
        client: Any = FakeS3(keys)
        lister = Lister(client, job, ())
        async with RangeListing(lister, [WHOLE], 10_000, pytest.fail, known(key_map)) as listing:
            while not listing.ended:
                page = await listing.next(None)
                assert page is not None
                listing.written(page)
            made = listing.key_map()
            assert made is not None
            return made, lister.requests.count

    learnt, first = asyncio.run(run(None))
    assert learnt.ranks[-1] == len(keys)
    _, second = asyncio.run(run(learnt))
    assert second <= min(first, 1.1 * 300)


def _skips(answer: dict[str, Any]) -> dict[str, Any]:
    """Skip keys."""
    return {**answer, "Contents": answer["Contents"][5:]}


def _begins_anew(answer: dict[str, Any]) -> dict[str, Any]:
    """Begin at the beginning."""
    return {**answer, "Contents": [{"Key": key} for key in NUMBERS[:20]]}


def _ends(_: dict[str, Any]) -> dict[str, Any]:
    """Give nothing."""
    return {"IsTruncated": False, "KeyCount": 0}


def _goes_on_without_a_key(answer: dict[str, Any]) -> dict[str, Any]:
    """Promise more, and give no key."""
    return {**answer, "Contents": [], "IsTruncated": True}


@pytest.mark.parametrize("concurrency", [2, 8])
@pytest.mark.parametrize("deviant", [_skips, _begins_anew, _ends, _goes_on_without_a_key])
def test_a_server_that_starts_elsewhere_is_listed_sequentially(
    deviant: Callable[[dict[str, Any]], dict[str, Any]], concurrency: int
) -> None:
    """After a key of no object; the deviation is found before a range is split, and reported once."""
    s3 = FakeS3(NUMBERS)
    faithful = s3.list_objects_v2

    async def answer(**request: Any) -> dict[str, Any]:
        after, listed = request.get("StartAfter", ""), await faithful(**request)
        return listed if not after or after in NUMBERS else deviant(listed)

    s3.list_objects_v2 = answer  # type: ignore[method-assign]
    run = Run().hop(s3, concurrency=concurrency)
    assert run.in_order == NUMBERS
    assert len(run.heard) == 1
    assert any("ContinuationToken" in request for _, request in s3.sent("list"))


FOLDERS = [f"in/{year}/{month:02}/" for year in (2025, 2026) for month in range(1, 13)]


@pytest.mark.parametrize("seed", range(40))
def test_no_key_is_lost_where_a_server_omits_keys_after_a_guess(seed: int) -> None:
    """The keys that a range lists beyond its end are compared with the first ones of the next range."""
    rng, run = random.Random(seed), Run()
    folders = rng.sample(FOLDERS, rng.randint(1, len(FOLDERS)))
    keys = sorted({f"{rng.choice(folders)}{rng.randint(0, 200):03}.pdf" for _ in range(rng.randint(1, 900))})
    guesses = tuple(sorted(folder[:-1] for folder in rng.sample(FOLDERS, rng.randint(1, len(FOLDERS)))))
    key_map = rng.choice([None, KeyMap(guesses, tuple(range(9, 9 * len(guesses) + 1, 9)))])
    page_size, concurrency, hops = rng.randint(2, 30), rng.randint(2, 12), rng.choices(range(1, 9), k=rng.randint(0, 6))

    async def dawdle(_: str, __: object) -> None:
        for _turn in range(rng.randint(0, 9)):
            await asyncio.sleep(0)

    for pages in [*hops, None]:
        s3 = Filer(keys, before=dawdle)
        run.hop(s3, concurrency=concurrency, page_size=page_size, pages=pages, key_map=key_map, suffix="")
    assert run.in_order == keys


def test_a_server_that_ignores_start_after_is_listed_sequentially() -> None:
    """Also from the first request on: repeated keys are dropped."""
    s3, run = FakeS3(NUMBERS), Run()
    faithful = s3.list_objects_v2

    async def deviant(**request: Any) -> dict[str, Any]:
        request.pop("StartAfter", None)
        return await faithful(**request)

    s3.list_objects_v2 = deviant  # type: ignore[method-assign]
    run.ranges = (replace(WHOLE, after="00500.pdf", place="00500.pdf"),)
    for pages in (3, 40, None):
        run.hop(s3, pages=pages)
    assert run.in_order == NUMBERS[501:]
    assert set(run.heard) == {"the server does not start after the key that it is given"}


def test_a_server_without_order_is_refused() -> None:
    """Directory buckets are not listed in key order, and "every key once" relies on the order."""
    s3 = FakeS3(NUMBERS)
    faithful = s3.list_objects_v2

    async def shuffled(**request: Any) -> dict[str, Any]:
        answer = await faithful(**request)
        answer["Contents"].reverse()
        return answer

    s3.list_objects_v2 = shuffled  # type: ignore[method-assign]
    with pytest.raises(SourceRefusedError, match="not listed in key order"):
        Run().hop(s3)


def failing(s3: FakeS3, fails: Callable[[dict[str, Any]], bool]) -> FakeS3:
    """Let some requests fail for good: botocore's retries lie below this client."""

    async def fail(operation: str, request: Any) -> None:
        await asyncio.sleep(0)
        if operation == "list" and fails(request):
            raise refuse("SlowDown", "ListObjectsV2", 503)

    s3.before = fail
    return s3


def test_a_passing_fault_ends_nothing() -> None:
    """A request that failed after botocore's own retries is sent once more."""
    sent = 0

    def now_and_then(_: dict[str, Any]) -> bool:
        nonlocal sent
        sent += 1
        return sent % 4 == 0

    run = Run().hop(failing(FakeS3(NUMBERS), now_and_then))
    assert run.in_order == NUMBERS
    assert not run.heard


def test_a_server_that_fails_on_every_guess_is_listed_sequentially() -> None:
    """Three failures in a row are no accident; the cause is reported, since a store may only ask to slow down."""
    s3 = failing(FakeS3(NUMBERS), lambda request: request.get("StartAfter", "0") not in {"0", *NUMBERS})
    run = Run().hop(s3)
    assert run.in_order == NUMBERS
    (heard,) = run.heard
    assert heard.startswith("requests that start after a key that does not exist fail: cannot list ")
    assert "SlowDown" in heard


def _place(request: dict[str, Any]) -> str:
    return max(str(request.get("StartAfter", "")), str(request.get("ContinuationToken", "")).removeprefix("token:"))


def test_a_lasting_fault_ends_the_listing() -> None:
    """The pages before it are taken."""
    run = Run()
    with pytest.raises(RetryableError, match="SlowDown"):
        run.hop(failing(FakeS3(NUMBERS), lambda request: "00500.pdf" < _place(request) < "00900.pdf"))
    assert run.keys[0][:40] == NUMBERS[:40]


def test_slow_down_lowers_the_number_of_requests_under_way() -> None:
    """While botocore retries underneath, the readers become fewer, and later more again."""
    flying, most = 0, [0]

    async def count(_: str, __: object) -> None:
        nonlocal flying
        flying += 1
        most[-1] = max(most[-1], flying)
        for _turn in range(50):  # turns and not seconds: no machine is too busy for them
            await asyncio.sleep(0)
        flying -= 1

    async def slow_down(page: int, listing: RangeListing) -> None:
        if page == 60:
            for _ in range(2):
                listing._lister.requests.on_slow()
                listing._limit._spared = 0
        if page == 60 + 16:  # the requests that were under way are answered
            most.append(0)
        if page == 60 + 32:
            most.append(0)

    keys = [f"{n:05d}.pdf" for n in range(8000)]
    run = Run().hop(FakeS3(keys, before=count), concurrency=16, at_page=slow_down)
    assert run.in_order == keys
    assert most[0] == 16
    assert most[1] <= 8
    assert most[2] >= 14


def test_a_run_into_a_file_makes_no_map() -> None:
    """Each checkpoint had 200 kB of a map for no reader."""

    async def run() -> object:
        lister = Lister(FakeS3(NUMBERS), job_of(concurrency=8, page_size=20), ())  # type: ignore[arg-type]
        async with RangeListing(lister, [WHOLE], 1000, pytest.fail) as listing:
            page = await listing.next(None)
            assert page is not None
            listing.written(page)
            return listing.key_map()

    assert asyncio.run(run()) is None


def busy_for(monkeypatch: pytest.MonkeyPatch, busy: Callable[[RequestTime], float]) -> None:
    """Let requests leave as much time as a test says, and readers start as a job's do, beside a quick server."""
    monkeypatch.setattr(request_time, "SPARE", 1.1)
    monkeypatch.setattr(request_time, "SLOW_SECONDS", inf)
    monkeypatch.setattr(RequestTime, "busy", lambda sent, _: busy(sent))


@pytest.mark.parametrize("busy", [1.0, 0.95])
def test_a_server_that_answers_at_once_needs_one_reader(busy: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """More readers would only cost requests: each range that is split off ends with a page that is not full."""
    busy_for(monkeypatch, lambda _: busy)
    run = Run().hop(FakeS3(NUMBERS))
    assert run.in_order == NUMBERS
    assert run.requests <= len(NUMBERS) // 20 + 2
    assert len(run.ranges) == 1


@pytest.mark.parametrize(("busy", "most"), [(0.8, 2), (0.4, 3), (0.3, 4)])
def test_as_many_readers_start_as_keep_the_job_busy(busy: float, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose requests leave a job a fifth of its time is worth one more."""
    seen: list[int] = []

    class Shared(RequestTimes):
        """Each request under way takes its share of the thread's time."""

        def add(self, answered: RequestTime, under_way: int) -> None:
            seen.append(under_way)
            busy_for(monkeypatch, lambda _: min(1.0, busy * under_way))
            super().add(answered, under_way)

    monkeypatch.setattr(range_listing, "RequestTimes", Shared)
    run = Run().hop(FakeS3(NUMBERS))
    assert run.in_order == NUMBERS
    assert max(seen) == most


def test_readers_of_a_slow_server_are_kept_at_work_while_the_job_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the last of them would be left with a long range, and nothing else to wait for."""
    busy_for(monkeypatch, lambda _: 1.0)
    monkeypatch.setattr(request_time, "SLOW_SECONDS", 0.0)
    run = Run().hop(FakeS3(NUMBERS))
    assert run.in_order == NUMBERS
    assert len(run.ranges) > 1


def test_requests_that_were_under_way_together_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One stop of the process makes all of them late."""
    answers = iter([1.0] + [0.1] * 1000)
    busy_for(monkeypatch, lambda _: next(answers))
    monkeypatch.setattr(range_listing, "RequestTime", _OfOneMoment)
    run = Run().hop(FakeS3(NUMBERS))
    assert run.in_order == NUMBERS
    assert len(run.ranges) == 1


class _OfOneMoment(RequestTime):
    """A request that was sent with all others, when the process started to measure."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.began = 0.0


def test_one_late_answer_brings_no_more_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be late by chance; three in a row are not."""
    answers = iter([1.0, 1.0, 0.1, 0.1, 1.0, 0.1, 0.1] + [0.1] * 1000)
    seen: list[float] = []

    def busy(_: RequestTime) -> float:
        seen.append(next(answers))
        return seen[-1]

    busy_for(monkeypatch, busy)
    ranges: list[int] = []

    async def note(_: int, listing: RangeListing) -> None:
        if len(seen) <= 7:
            ranges.append(len(listing.partition()))

    run = Run().hop(FakeS3(NUMBERS), at_page=note)
    assert set(ranges) == {1}
    assert len(run.ranges) > 1
    assert run.in_order == NUMBERS


@pytest.mark.parametrize("stop_at", [1, 7])
def test_leaving_the_listing_stops_every_request(stop_at: int) -> None:
    """Nothing may run on after a hop has handed over."""

    async def run() -> set[Any]:
        client: Any = FakeS3(NUMBERS)
        lister = Lister(client, job_of(concurrency=8, page_size=20), ())
        async with RangeListing(lister, [WHOLE], 1000, lambda _: None) as listing:
            for _ in range(stop_at):
                page = await listing.next(None)
                assert page is not None
                listing.written(page)
            client.before = lambda *_: asyncio.Event().wait()
            for _ in range(20):
                await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(run()) == set()
