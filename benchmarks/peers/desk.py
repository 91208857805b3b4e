"""``presign-siblings run`` into a file, with the bucket in its own process."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from benchmarks import own_s3
from benchmarks.dataset import wanted_count
from presign_siblings.laptop.request import requested

if TYPE_CHECKING:
    from benchmarks.work import Work


def run(work: Work) -> int:
    """Do the work and return the number of signed keys."""
    own_s3.install()
    fields = {"compression": work.compression, "expiry_seconds": work.expiry_seconds, "probe": False}
    client = boto3.client("s3", endpoint_url=work.endpoint)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        to = f"{folder}/manifest.jsonl"
        source = f"s3://{work.bucket}/{work.prefix}"
        running, event = requested(source, to, fields, client, on_progress=lambda _: None, stopping=lambda: False)
        begin = running.begin(event, resume=False, processes=work.processes)
        processes = running.processes(begin)
        if processes is not None:
            stack.enter_context(processes)
        body = asyncio.run(running.run(begin, processes)).body
        if body["status"] != "complete" or body["count"] != wanted_count(work.count) or not Path(to).stat().st_size:
            raise RuntimeError(f"the run answered {body}")
    return int(body["count"])
