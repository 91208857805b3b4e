"""How the key space is divided before the chains begin."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.keysets import numbered_folders
from processor.errors import RetryableError, SourceRefusedError
from processor.fanout.plan import REQUESTS_A_CHAIN, by_map, planned
from processor.fanout.shares import given_out
from processor.job import DeploymentSettings, EncodedBytes, Job, KeyRange, SiblingPayload, WrittenRange
from processor.listing import KeyMap, Lister
from tests.conftest import NOW
from tests.fakes import FakeS3, refuse
from tests.filer import Filer
from tests.machine import MACHINE
from tests.range_runs import RangeRun

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTINGS = DeploymentSettings.from_environment({"STATE_MACHINE_ARN": MACHINE, "JOBS_TABLE": "jobs"}, {})
WHOLE = KeyRange(0, "", None, "", None, done=False)
FLAT = [f"in/{number:07}.pdf" for number in range(20_000)]
DAYS = [f"in/2026/{month:02}/{day:02}/{n:04}.pdf" for month in range(1, 13) for day in range(1, 29) for n in range(50)]


def job_of(**fields: Any) -> Job:
    """Return a job of several chains."""
    event = {"bucket": "reports", "prefix": "in/", "page_size": 100, "chains": 4, **fields}
    return Job.from_event(event, config={}, environment={}, deployment=SETTINGS, now=NOW)


def plan(s3: FakeS3, whole: KeyRange = WHOLE, key_map: KeyMap | None = None, **fields: Any) -> list[KeyRange]:
    """Divide the keys of a bucket."""
    lister = Lister(s3, job_of(**fields), ())  # type: ignore[arg-type]
    return asyncio.run(planned(lister, whole, key_map, lambda: math.inf))


def shares(ranges: Sequence[KeyRange], keys: Sequence[str]) -> list[int]:
    """Return how many keys are in each range; the ranges must partition the key space."""
    assert [left.upto for left in ranges[:-1]] == [right.after for right in ranges[1:]]
    assert len({each.number for each in ranges}) == len(ranges)
    return [sum(each.after < key and (each.upto is None or key <= each.upto) for key in keys) for each in ranges]


@pytest.mark.parametrize("keys", [FLAT, DAYS], ids=["flat", "days"])
def test_without_a_map_sampled_keys_show_where_to_cut(keys: list[str]) -> None:
    """In few requests; more ranges than chains, none of which has most of the keys."""
    s3 = FakeS3(keys)
    ranges = plan(s3)
    found = shares(ranges, keys)
    assert sum(found) == len(keys)
    assert len(ranges) > 4
    assert max(found) <= len(keys) / 4
    assert len(s3.sent("list")) <= 4 * REQUESTS_A_CHAIN


@pytest.mark.parametrize("chains", [2, 4])
def test_few_samples_divide_numbered_folders_too(chains: int) -> None:
    """One wrong estimate hides the others: a long gap is cut inside, and samples correct wrong guesses."""
    keys = sorted(f"in/{key}" for key in numbered_folders(20_000))
    ranges = plan(FakeS3(keys), chains=chains, page_size=20)
    found = shares(ranges, keys)
    assert len(ranges) <= 4 * chains
    assert max(found) < len(keys) / chains


def test_longer_ranges_have_higher_numbers_and_start_first() -> None:
    """So the chains end together; the last range starts before all others: its end is unknown."""
    keys = sorted(f"in/{key}" for key in numbered_folders(20_000))
    ranges = plan(FakeS3(keys), chains=8)
    found = shares(ranges, keys)
    order = sorted(range(len(ranges)), key=lambda place: ranges[place].number, reverse=True)
    assert order[0] == len(ranges) - 1
    half = len(order) // 2
    assert sum(found[place] for place in order[1:half]) > 1.1 * sum(found[place] for place in order[half + 1 :])
    job = job_of(chains=8)
    start = SiblingPayload.first(job, "a" * 16, NOW).begin()
    written = tuple(WrittenRange(each, EncodedBytes(), ()) for each in ranges)
    begun = given_out(replace(start, ranges=written), SiblingPayload.first(job, "a" * 16, NOW))
    assert [item.share.number for item in begun if item.share] == list(reversed(range(len(ranges))))


@pytest.mark.parametrize("keys", [[], ["in/only.pdf"], FLAT[:150]], ids=["none", "one", "few"])
def test_few_keys_make_few_ranges(keys: list[str]) -> None:
    """An idle chain costs an invocation; every key still belongs to one range."""
    ranges = plan(FakeS3(keys))
    assert sum(shares(ranges, keys)) == len(keys)
    assert len(ranges) <= 16


def test_a_map_cuts_without_a_request() -> None:
    """Into equal shares, as far as the map is right."""
    s3 = FakeS3(FLAT)
    known = KeyMap(tuple(key[3:] for key in FLAT[99::100]), tuple(range(100, len(FLAT) + 1, 100)))
    ranges = plan(s3, key_map=known)
    found = shares(ranges, FLAT)
    assert len(ranges) == 16
    assert max(found) <= 1.2 * len(FLAT) / 16
    assert not s3.wire


def test_a_part_of_the_key_space_is_divided_within_its_bounds() -> None:
    """``start_after`` and ``end_at`` bound the ranges too."""
    whole = KeyRange(0, FLAT[5000], FLAT[9000], FLAT[5000], None, done=False)
    ranges = plan(FakeS3(FLAT), whole, start_after=FLAT[5000], end_at=FLAT[9000])
    assert (ranges[0].after, ranges[-1].upto) == (FLAT[5000], FLAT[9000])
    assert sum(shares(ranges, FLAT)) == 4000


@pytest.mark.parametrize("wanted", [1, 2, 5])
def test_a_map_with_fewer_keys_than_ranges_cuts_at_its_keys(wanted: int) -> None:
    """It has no other places."""
    ranges = by_map(WHOLE, KeyMap(("b", "d"), (10, 20)), wanted)
    assert len(ranges) <= min(wanted, 3)
    assert all(left.after < right.after for left, right in pairwise(ranges))


def test_a_server_that_ignores_where_to_start_leaves_one_range() -> None:
    """Its ranges could not be listed separately."""

    class Contrary(FakeS3):
        async def list_objects_v2(self, **asked: Any) -> dict[str, Any]:
            return dict(await FakeS3.list_objects_v2(self, **{k: v for k, v in asked.items() if k != "StartAfter"}))

    assert plan(Contrary(FLAT)) == [WHOLE]


@pytest.mark.parametrize("seed", range(12))
def test_no_key_is_lost_between_ranges_where_a_server_omits_keys_after_a_guess(seed: int) -> None:
    """A range begins at a key that was seen, or within a folder."""
    rng = random.Random(seed)
    folders = rng.sample([f"in/{year}/{month:02}/" for year in (2025, 2026) for month in range(1, 13)], 16)
    keys = sorted({f"{rng.choice(folders)}{rng.randint(0, 999):03}.pdf" for _ in range(rng.randint(1, 6000))})
    ranges, found = plan(Filer(keys), page_size=20), list[str]()
    for each in ranges:
        run = RangeRun()
        run.ranges = (each,)
        asyncio.run(run.listed(Filer(keys), job_of(page_size=20, end_at=each.upto)))
        found += run.in_order
    assert found == keys


def test_a_failed_request_leaves_fewer_ranges_and_a_denied_bucket_fails_the_job() -> None:
    """A later round may learn what a failed one did not."""
    s3, numbers = FakeS3(FLAT), iter(range(100))

    async def fail(operation: str, _: object) -> None:
        if operation == "list" and next(numbers) % 5 == 4:
            raise refuse("SlowDown", status=503)

    s3.before = fail
    assert sum(shares(plan(s3), FLAT)) == len(FLAT)

    async def deny(*_: object) -> None:
        raise refuse("AccessDenied", status=403)

    s3.before = deny
    with pytest.raises(SourceRefusedError):
        plan(s3)


def test_a_server_that_never_answers_lets_the_hop_try_again() -> None:
    """No plan is made of nothing."""

    async def fail(*_: object) -> None:
        raise refuse("SlowDown", status=503)

    s3 = FakeS3(FLAT)
    s3.before = fail
    with pytest.raises(RetryableError):
        plan(s3)
