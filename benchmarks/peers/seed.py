"""The seed's handler, rewritten from its walkthrough: a queue, four consumers, a spool file, one PutObject."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aioboto3
import aiofiles
from botocore.config import Config

from benchmarks.dataset import wanted_key

if TYPE_CHECKING:
    from benchmarks.work import Work

_DONE = object()


def _log(event_type: str, **fields: object) -> None:
    print(json.dumps({"event": event_type, **fields}))


def _emit_emf(metrics: dict[str, int], **dims: str) -> None:
    names = [{"Name": name, "Unit": "Bytes" if name.endswith("Bytes") else "Count"} for name in metrics]
    where = {"Namespace": "bench/seed", "Dimensions": [list(dims)], "Metrics": names}
    print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [where]}, **dims, **metrics}))


class _Run:
    """One invocation; the walkthrough's closures, with their shared variables as attributes."""

    def __init__(self, cfg: dict[str, Any], s3: Any, spool: Any) -> None:  # noqa: ANN401 clients without types
        self.cfg, self.s3, self.spool = cfg, s3, spool
        self.queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=cfg["queue_max"])
        self.write_lock = asyncio.Lock()
        self.pages = self.errors = 0

    async def producer(self) -> None:
        try:
            paginator = self.s3.get_paginator("list_objects_v2")
            async for page in paginator.paginate(
                Bucket=self.cfg["bucket"],
                Prefix=self.cfg["prefix"],
                PaginationConfig={"PageSize": self.cfg["page_size"]},
            ):
                self.pages += 1
                for obj in page.get("Contents", []) or []:
                    if wanted_key(obj["Key"]):
                        await self.queue.put(obj["Key"])
        finally:
            for _ in range(self.cfg["concurrency"]):
                await self.queue.put(_DONE)

    async def consumer(self) -> int:
        local = 0
        while (item := await self.queue.get()) is not _DONE:
            try:
                url = await self.s3.generate_presigned_url(
                    "get_object",
                    Params={"Bucket": self.cfg["bucket"], "Key": item},
                    ExpiresIn=self.cfg["expiry"],
                )
                line = json.dumps({"key": item, "url": url}) + "\n"
                async with self.write_lock:
                    await self.spool.write(line)
                local += 1
            except Exception as exc:  # noqa: BLE001 the walkthrough isolates each item
                self.errors += 1
                _log("presign_error", key=item, error=str(exc))
        return local


async def _run(cfg: dict[str, Any]) -> int:
    started = time.monotonic()
    path = Path(tempfile.gettempdir(), f"{uuid.uuid4()}.jsonl")
    # The walkthrough does not show its client; s3v4 makes it sign as the others do.
    config = Config(signature_version="s3v4")
    session: Any = aioboto3.Session()
    async with session.client("s3", endpoint_url=cfg["endpoint"], config=config) as s3:
        async with aiofiles.open(path, "w") as spool:
            run = _Run(cfg, s3, spool)
            producing = asyncio.create_task(run.producer())
            counts = await asyncio.gather(*(run.consumer() for _ in range(cfg["concurrency"])))
            await producing
        size = os.path.getsize(path)  # noqa: ASYNC240, PTH202 as the walkthrough has it
        key = f"manifests/{uuid.uuid4()}.jsonl"
        with open(path, "rb") as body:  # noqa: ASYNC230, PTH123 a plain file handle is its improvement 6
            await s3.put_object(Bucket=cfg["bucket"], Key=key, Body=body, ContentType="application/x-ndjson")
        path.unlink()  # noqa: ASYNC240 as above
        params = {"Bucket": cfg["bucket"], "Key": key}
        url = await s3.generate_presigned_url("get_object", Params=params, ExpiresIn=cfg["expiry"])
    count = sum(counts)
    answer = json.dumps({"count": count, "errors": run.errors, "manifest_key": key, "manifest_url": url})
    _log("complete", count=count, errors=run.errors, pages=run.pages, duration_ms=(time.monotonic() - started) * 1000)
    metrics = {"PDFsProcessed": count, "S3ListPages": run.pages, "ManifestBytes": size, "ResponseBytes": len(answer)}
    _emit_emf(metrics, Function="seed")
    return count


def _cfg(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "bucket": event["bucket"],
        "prefix": event["prefix"],
        "expiry": int(event.get("expiry_seconds") or 900),
        "endpoint": event.get("endpoint") or os.environ.get("S3_ENDPOINT_URL") or None,
        "page_size": int(event.get("page_size") or 1000),
        "concurrency": int(event.get("concurrency") or 4),
        "queue_max": 2000,
    }


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer one invocation, as the Lambda with which the tester's page compares the chain."""
    return {"statusCode": 200, "body": json.dumps({"count": asyncio.run(_run(_cfg(event)))})}


def run(work: Work) -> int:
    """Do the work and return the number of signed keys."""
    event = {
        "bucket": work.bucket,
        "prefix": work.prefix,
        "expiry_seconds": work.expiry_seconds,
        "endpoint": work.endpoint,
    }
    return asyncio.run(_run(_cfg(event)))
