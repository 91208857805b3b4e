"""Our own lister alone: the pages that the pipeline would sign, counted and dropped."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from processor.aws import open_s3
from processor.job import DeploymentSettings, Job
from processor.listing import Lister, ParallelListing, SequentialListing

if TYPE_CHECKING:
    from benchmarks.work import Work


def job_of(work: Work) -> tuple[Job, int]:
    """Make the job, as an event does, and how many keys may be known and not yet written."""
    deployment = DeploymentSettings.from_environment(os.environ, {})
    event = {"bucket": work.bucket, "prefix": work.prefix, "suffix": "", "concurrency": work.concurrency}
    job = Job.from_event(event, config={}, environment={}, deployment=deployment, now=datetime.now(UTC))
    return job, deployment.keys_ahead(job.concurrency)


async def _run(work: Work) -> dict[str, float]:
    job, queue_max = job_of(work)
    listed, last = 0, ""
    async with open_s3(work.endpoint, job.concurrency) as (client, _):
        lister = Lister(client, job, ())
        fallbacks: list[str] = []
        if job.concurrency == 1:
            readers = SequentialListing(lister.pages(None, None), queue_max, job.page_size)
        else:
            readers = ParallelListing(lister, None, None, queue_max, fallbacks.append)
        async with readers:
            while (page := await readers.next(None)) is not None:
                if page.keys and page.keys[0] <= last:
                    raise RuntimeError("the keys are out of order")
                listed, last = listed + len(page.keys), page.keys[-1] if page.keys else last
                readers.written(page)
                if page.is_last:
                    break
        if fallbacks:
            raise RuntimeError(fallbacks[0])
        return {"signed": listed, "requests": lister.requests}


def run(work: Work) -> dict[str, float]:
    """List, and tell how many keys came, and with how many requests."""
    return asyncio.run(_run(work))
