"""The map of its keys that a long run leaves for the next one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from processor.job import DeploymentSettings, Job
from tests.builders import OPEN, job_of
from tests.conftest import NOW
from tests.executions import Hops
from tests.fakes import FakeS3, refuse

if TYPE_CHECKING:
    from datetime import datetime

KEYS = [f"in/{n:05d}.pdf" for n in range(2000)]
FOR_EVER = 10_000


def dated(at: datetime) -> Job:
    """Return the job of a day."""
    event = {"bucket": "reports", "prefix": "in/{yyyy}/{mm}/{dd}/", "page_size": 20, "time": at.isoformat()}
    return Job.from_event(event, config={}, environment={}, deployment=OPEN, now=at)


def run(s3: FakeS3, job: Job, pages: tuple[int, ...] = (FOR_EVER,), deployment: DeploymentSettings = OPEN) -> Hops:
    """Run a job in hops of the given pages."""
    hops = Hops(s3, deployment=deployment)
    asyncio.run(hops.chain(job, pages))
    return hops


def maps(s3: FakeS3) -> dict[str, Any]:
    """Return the stored maps."""
    return {key: json.loads(body) for key, body in s3.objects.items() if ".keymaps/" in key}


@pytest.mark.parametrize("pages", [(FOR_EVER,), (30, 30, FOR_EVER), (40, FOR_EVER)])
def test_a_long_run_leaves_a_map_of_keys_without_urls(pages: tuple[int, ...]) -> None:
    """Whatever the hops; without the prefix, at about equal distances."""
    s3, job = FakeS3(KEYS), job_of(prefix="in/", page_size=20)
    run(s3, job, pages)
    ((place, found),) = maps(s3).items()
    assert place == job.key_map_key
    assert found["keys"] == sorted(found["keys"])
    assert {f"in/{key}" for key in found["keys"]} <= set(KEYS)
    assert sum(found["distances"]) == pytest.approx(len(KEYS), rel=0.2)
    assert b"X-Amz" not in s3.objects[place]


def test_the_next_run_takes_its_ranges_from_the_map() -> None:
    """With hardly more requests than one chain, and the same manifest."""
    s3, job = FakeS3(KEYS), job_of(prefix="in/", page_size=20, concurrency=16)
    run(s3, job)
    first = len(s3.sent("list"))
    run(s3, replace(job, fresh=True))
    assert len(s3.sent("list")) - first <= min(first, 1.15 * len(KEYS) / 20)


def test_tomorrows_date_finds_todays_map() -> None:
    """The map belongs to the prefix before its dates are resolved, and survives the payload."""
    today, tomorrow = dated(NOW), dated(NOW.replace(day=NOW.day + 1))
    assert today.prefix != tomorrow.prefix
    assert today.job_key != tomorrow.job_key
    assert today.key_map_key == tomorrow.key_map_key != job_of(prefix=today.prefix).key_map_key
    assert Job.from_payload(json.loads(json.dumps(today.to_payload())), OPEN) == today


@pytest.mark.parametrize("changes", [{"concurrency": 1}, {"start_after": "in/00001.pdf"}, {"end_at": "in/01900.pdf"}])
def test_a_run_of_a_part_or_of_one_chain_leaves_no_map(changes: dict[str, Any]) -> None:
    """A map of a part would mislead the run of the whole; one chain has no ranges."""
    s3 = FakeS3(KEYS)
    run(s3, job_of(prefix="in/", page_size=20, **changes))
    assert not maps(s3)


def test_a_short_run_neither_requests_a_map_nor_leaves_one() -> None:
    """Most prefixes are small."""
    s3 = FakeS3(KEYS[:15])
    run(s3, job_of(prefix="in/", page_size=20))
    assert not maps(s3)
    assert not [request for _, request in s3.sent("get") if ".keymaps/" in request["Key"]]


@pytest.mark.parametrize("body", [b"", b"[]", b"no JSON", b'{"version": 1, "keys": ["b", "a"], "distances": [1, 1]}'])
def test_a_damaged_map_counts_as_none(body: bytes) -> None:
    """It costs balance, never a key."""
    s3, job = FakeS3(KEYS), job_of(prefix="in/", page_size=20)
    s3.store(job.key_map_key, body, {})
    outcome, _ = asyncio.run(Hops(s3).chain(job, [FOR_EVER]))
    assert outcome.checkpoint.counts.count == len(KEYS)


def test_a_map_that_cannot_be_written_is_reported_and_ends_nothing() -> None:
    """The manifest is complete."""
    s3, job = FakeS3(KEYS), job_of(prefix="in/", page_size=20)

    async def refused(operation: str, request: Any) -> None:
        await asyncio.sleep(0)
        if operation == "put" and ".keymaps/" in request:
            raise refuse("AccessDenied", "PutObject", 403)

    s3.before = refused
    hops = run(s3, job)
    assert "key_map_not_kept" in hops.heard.events
    assert not maps(s3)
