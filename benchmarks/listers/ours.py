"""Our own lister alone: the pages that the pipeline would sign, counted and dropped."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from processor.aws import open_s3
from processor.job import DeploymentSettings, Job, KeyRange
from processor.listing import Lister, open_listing

if TYPE_CHECKING:
    from benchmarks.work import Work


def job_of(work: Work) -> tuple[Job, int]:
    """Return the job, as an event makes it, and how many keys may be known and not yet written."""
    deployment = DeploymentSettings.from_environment(os.environ, {})
    event = {"bucket": work.bucket, "prefix": work.prefix, "suffix": "", "concurrency": work.concurrency}
    job = Job.from_event(event, config={}, environment={}, deployment=deployment, now=datetime.now(UTC))
    return job, deployment.keys_ahead(job.concurrency)


async def _run(work: Work) -> dict[str, float]:
    job, queue_max = job_of(work)
    listed, last = 0, dict[int, str]()
    async with open_s3(work.endpoint, job.concurrency) as (client, _):
        lister, fallbacks = Lister(client, job, ()), list[str]()
        listing = open_listing(lister, [KeyRange(0, "", None, "", None, done=False)], queue_max, fallbacks.append)
        async with listing:
            while not listing.ended and (page := await listing.next(None)) is not None:
                keys = page.page.keys
                if keys and keys[0] <= last.get(page.number, ""):
                    raise RuntimeError("the keys of a range are out of order")
                if keys:
                    last[page.number] = keys[-1]
                listed += len(keys)
                listing.written(page)
        if fallbacks:
            raise RuntimeError(fallbacks[0])
        return {"signed": listed, "requests": lister.requests.count}


def run(work: Work) -> dict[str, float]:
    """List, and return the numbers of keys and of requests."""
    return asyncio.run(_run(work))
