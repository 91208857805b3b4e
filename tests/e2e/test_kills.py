"""
Real runtimes are killed at random instants of real chains; each manifest is exact all the same.

All workers are killed at once, as when a host goes down: the holder of each lease is surely dead then, and the lease
may be aged instead of waited for. A kill counts if a hop held its lease.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from dev.aws import stack
from dev.tester.faults import runtimes
from processor.ledger.record import LEASE
from tests.e2e.jobs import OVER, Job, given_up, pdf_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Deployed
    from tests.e2e.jobs import Record

pytestmark = pytest.mark.e2e

KILLS = int(os.environ.get("KILLS", "8"))  # `make soak` has more
SEED = int(os.environ.get("KILLS_SEED", "4"))
STILL_SECONDS = 180.0  # without a write to any record, on a busy machine: longer means that it hangs
DEAD_SECONDS = LEASE.total_seconds() + 5  # without a write: no holder is alive, or it would have renewed its lease
LOOK_SECONDS = 0.02
HOP_SECONDS = 0.3  # a kill comes within this time after a claim was seen: before, in and after the hop's writes
# A line of each of these keys is some 6 kB, so that a few pages fill a part of 5 MiB, and the chain carries an upload.
HEAVY = f"{stack.PREFIX}heavy/"
HEAVY_KEYS = [f"{HEAVY}{number:04}" + "\u0444" * 490 + ".pdf" for number in range(1800)]


@dataclass
class Attacked:
    """
    A job whose runtimes are killed.

    :param expected: The keys that its manifest must hold.
    :param killed:   Holders that died while they held its lease.
    :param starts:   How often it was submitted: once, and each time Lambda had given up an event of its chain.
    """

    job: Job
    expected: list[str]
    killed: set[str] = field(default_factory=set)
    starts: int = 0

    def start(self) -> None:
        """Submit the job, as its schedule does."""
        self.job.start()
        self.starts += 1

    def was_killed(self) -> bool:
        """Record the holder that has just died, and let its lease run out; return whether one held it."""
        record = self.job.record()
        if record is None or record["state"] in OVER:
            return False
        self.job.age(record["holder"])
        if record["state"] != "running" or record["holder"] in self.killed:
            return False
        self.killed.add(record["holder"])
        return True

    def is_at_work(self, record: Record | None) -> bool:
        """Whether a hop has begun since the last kill."""
        return record is not None and record["state"] == "running" and record["holder"] not in self.killed

    def continue_after(self, events: list[dict[str, Any]]) -> None:
        """Start the job again if Lambda has given up an event of it and no hop works on it."""
        if self.job.place not in {event.get("job", event).get("manifest_prefix") for event in events}:
            return
        record = self.job.record()
        if record is not None and (record["state"] in OVER or self.is_at_work(record)):
            return
        if record is not None:
            self.job.age(record["holder"])
        self.start()


@pytest.fixture
def heavy(roomy: Deployed) -> Iterator[list[str]]:
    """Put the keys with long names into the bucket, for a while."""
    s3 = boto3.client("s3", **roomy.emulator.options)
    for key in HEAVY_KEYS:
        s3.put_object(Bucket=stack.BUCKET, Key=key, Body=b"")
    yield HEAVY_KEYS
    for at in range(0, len(HEAVY_KEYS), 1000):
        objects: Any = [{"Key": key} for key in HEAVY_KEYS[at : at + 1000]]
        s3.delete_objects(Bucket=stack.BUCKET, Delete={"Objects": objects})


def _kill(deployed: Deployed, attacked: list[Attacked]) -> int:
    """Kill each runtime; return how many leases were held."""
    for pid in runtimes(deployed.emulator.pid, deployed.stack.function):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return sum([each.was_killed() for each in attacked])


def _run_under_attack(deployed: Deployed, attacked: list[Attacked], draw: random.Random, wanted: int) -> int:
    """Run jobs to their end while their runtimes are killed; return the number of kills."""
    kills, seen, moved_at, started_at = 0, list[Any](), time.monotonic(), time.monotonic()
    for each in attacked:
        each.start()
    while True:
        records, now = [each.job.record() for each in attacked], time.monotonic()
        revisions = [record and record["revision"] for record in records]
        if revisions != seen:
            seen, moved_at = revisions, now
        going = [each for each, record in zip(attacked, records, strict=True) if not _is_over(record)]
        if not going:
            return kills
        assert now < moved_at + STILL_SECONDS, records
        # The emulator's tries come within seconds: all may be over, with `in_progress`, before a dead one's lease is.
        if now > max(moved_at, started_at) + DEAD_SECONDS:
            started_at = now
            for each in going:
                each.start()
        at_work = any(each.is_at_work(record) for each, record in zip(attacked, records, strict=True))
        # Three take-overs without a checkpoint end a job by design: one that has had two may continue.
        tired = any(record["takeovers"] >= 2 for record in records if record is not None and not _is_over(record))
        if at_work and not tired and kills < wanted:
            time.sleep(draw.uniform(0, HOP_SECONDS))
            kills += _kill(deployed, attacked)
        events = given_up(deployed)
        for each in attacked:
            each.continue_after(events)
        time.sleep(LOOK_SECONDS)


def _is_over(record: Record | None) -> bool:
    return record is not None and record["state"] in OVER


def _light(deployed: Deployed) -> tuple[dict[str, Any], list[str]]:
    """Return a key range without the heavy keys, and its keys."""
    first, last = f"{stack.PREFIX}0", f"{stack.PREFIX}:"
    return {"start_after": first, "end_at": last}, [key for key in pdf_keys(deployed) if first < key <= last]


@pytest.mark.timeout(1800)
def test_killed_runtimes_lose_and_repeat_no_key(
    roomy: Deployed, heavy: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Three chains at a time, by tokens, by ranges and with a multipart upload: all complete, whatever dies."""
    draw, kills = random.Random(SEED), 0
    done: list[Attacked] = []
    light, light_keys = _light(roomy)
    while kills < KILLS:
        attacked = [
            Attacked(Job(roomy, page_size=5, concurrency=1, **light), light_keys),
            Attacked(Job(roomy, page_size=5, compression="gzip", **light), light_keys),
            Attacked(Job(roomy, page_size=100, prefix=HEAVY), heavy),
        ]
        kills += _run_under_attack(roomy, attacked, draw, KILLS - kills)
        done += attacked
    with capsys.disabled():
        counts = f"{kills} kills of {len(done)} chains, {sum(each.starts for each in done)} starts"
        left = sum(len(each.job.uploads()) for each in done)
        print(f"\nseed {SEED}: {counts}, {left} uploads left to the bucket's rule")  # noqa: T201 - the file's finding
    for each in done:
        result = json.loads(each.job.prove(each.expected)["result"])
        # Each range ends with a page that may be short; the number of pages of a chain by tokens is known.
        pages = -(-len(each.expected) // each.job.event["page_size"])
        assert result["pages"] == pages if each.job.event.get("concurrency") == 1 else result["pages"] >= pages
        # A hop that dies before the first checkpoint that names its upload leaves an upload that no record names.
        assert len(each.job.uploads()) <= len(each.killed)
