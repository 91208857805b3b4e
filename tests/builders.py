"""Jobs, runs, records and claims for tests; all of them at ``NOW``."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from processor.job import DeploymentSettings, EncodedBytes, Job, KeyRange, Piece, SiblingPayload, WrittenRange
from processor.job.checkpoint import FORMAT
from processor.ledger import Claim, Record
from tests.conftest import NOW

OPEN = DeploymentSettings.from_environment({}, {})


def job_of(**fields: Any) -> Job:
    """Return a job on bucket ``reports``."""
    event = {"bucket": "reports", **fields}
    return Job.from_event(event, config={}, environment={}, deployment=OPEN, now=NOW)


def run_of(delivery: str = "first", **fields: Any) -> SiblingPayload:
    """Return a submission's run."""
    job = job_of(**fields)
    return SiblingPayload.first(job, job.job_id(delivery), NOW)


def at_hop(hop: int, run: SiblingPayload | None = None) -> SiblingPayload:
    """Return the same run's place at a later hop."""
    run = run or run_of()
    return replace(run, hop=hop, checkpoint_key=f"{run.job.checkpoint_prefix(run.job_id)}x", start_after="k")


def record_of(state: str, place: SiblingPayload | None = None, **fields: Any) -> Record:
    """Return the first run's record."""
    place = place or at_hop(3)
    values = {
        "holder": "other",
        "lease_until": NOW + timedelta(seconds=1),
        "runs": (place.job_id,),
        "revision": 7,
        **fields,
    }
    return Record(job_key=place.job.job_key, state=state, place=place, **values)


def claim(run: SiblingPayload, *, resume: bool = False, time: datetime | None = None) -> Claim:
    """Return a claim at ``NOW``."""
    return Claim(run=run, resume=resume, time=time, holder="me", now=NOW)


def begun(**fields: Any) -> SiblingPayload:
    """Return the place after a first hop."""
    first = run_of("request", **{"prefix": "2026/04/", **fields})
    checkpoint = replace(first.begin(), hop=1, ranges=(written(place="2026/04/é.pdf", cursor="token"),))
    return first.after(checkpoint, f"{first.job.checkpoint_prefix(first.job_id)}000001-ab")


def written(number: int = 0, *, place: str = "", cursor: str | None = None, pieces: int = 0) -> WrittenRange:
    """Return a range with a number of written pieces."""
    found = KeyRange(number, "", None, place, cursor, done=False)
    made = tuple(Piece(f"manifests/.checkpoints/x/pieces/{'h' * 32}-{index:06d}", 5 << 20) for index in range(pieces))
    return WrittenRange(found, EncodedBytes(), made)


def of_a_newer_release(stored: bytes) -> bytes:
    """Return a checkpoint as a newer release writes it, which counts more than this one."""
    newer = json.dumps(json.loads(stored.split(b"\n", 1)[1]) | {"of_tomorrow": {"a": 1}}).encode()
    return json.dumps({"format": FORMAT, "crc32": zlib.crc32(newer)}).encode() + b"\n" + newer
