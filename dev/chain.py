"""One job on the emulator's stack, as a chain of siblings, from its start to its end."""

from __future__ import annotations

import json
import math
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from dev import follow
from dev.aws import ministack, stack
from presign_siblings.remote.logs import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dev.aws.emulator import Emulator

TIMEOUT_SECONDS = 8
SECONDS = 600.0  # several chains share two cores here, each with a runtime of its own
# A small job is divided into this many pages, a sibling each, on any machine.
FEW_OBJECTS, FEW_PAGES = 2000, 20
# A larger job has this many pages, and a sibling has the time of a twelfth of them, plus its start (as long as some
# 25 requests, measured), so that a slow machine makes about as many siblings as a fast one.
PAGES, SHARE, BEGINNING = 600, 12, 25
WORK_SECONDS = 1.0
CHAIN_PAGES, CHAIN_SECONDS = 100, 2.0  # of a job that several chains share
MEASURED_REQUESTS = 20


@dataclass(frozen=True, slots=True)
class Pace:
    """
    Settings under which siblings hand over within about a second, on a slow machine and on a fast one.

    :param page_size: Keys in each list request.
    :param work:      Seconds that a sibling works; a sibling takes at least one page, and with 0 exactly one.
    """

    page_size: int
    work: float

    def parameters(self) -> dict[str, str]:
        """Return the stack's parameters."""
        return {
            "Timeout": str(TIMEOUT_SECONDS),
            "ShutdownPeriod": f"{TIMEOUT_SECONDS - self.work:.3f}",
            "PageSize": str(self.page_size),
        }


@dataclass(frozen=True, slots=True)
class Chain:
    """
    The result of a job.

    :param job_id:       The job's run.
    :param job_key:      The job's key in the jobs table.
    :param manifest_key: Key of its manifest, in ``stack.BUCKET``.
    :param count:        Keys in the manifest, by the last sibling's log line.
    :param handovers:    Siblings spawned.
    :param ranges:       Ranges that chains of their own have listed, where several share the job.
    :param seconds:      From the invocation to the last line.
    """

    job_id: str
    job_key: str
    manifest_key: str
    count: int
    handovers: int
    seconds: float
    ranges: int = 0


def measured_pace(emulator: Emulator, objects: int, chains: int = 1) -> Pace:
    """
    Choose the pace by the time that this machine takes to list a page.

    :param objects: Objects under the prefix.
    :param chains:  Chains that share the job; the hop that divides it needs more time than a page takes.
    """
    if objects < FEW_OBJECTS and chains == 1:
        return Pace(math.ceil(objects / FEW_PAGES), 0)
    if chains > 1:  # they share the machine's cores, so that each page takes longer
        return Pace(max(1, objects // CHAIN_PAGES), CHAIN_SECONDS)
    page_size = min(1000, math.ceil(objects / PAGES))
    s3 = boto3.client("s3", **emulator.options)
    seconds = []
    for _ in range(MEASURED_REQUESTS):
        began = time.monotonic()
        s3.list_objects_v2(Bucket=stack.BUCKET, Prefix=stack.PREFIX, MaxKeys=page_size)
        seconds.append(time.monotonic() - began)
    share = objects / page_size / SHARE + BEGINNING
    return Pace(page_size, min(WORK_SECONDS, statistics.median(seconds) * share))


def run(
    emulator: Emulator,
    deployed: stack.Stack,
    progress: Callable[[int, int], None] = lambda _count, _hop: None,
    event: Mapping[str, object] | None = None,
) -> Chain:
    """
    Start the job asynchronously and follow it to its end.

    :param progress: Called with the keys so far and the hop, at the end of each sibling.
    :param event:    The job; by default the stack's parameters give every field.
    :raises follow.ChainError: The job was parked, failed, or did not end in time.
    """
    since, began = datetime.now(UTC), time.monotonic()
    tail = Tail(boto3.client("logs", **emulator.options), deployed.logs, since)
    functions = boto3.client("lambda", **emulator.options)
    functions.invoke(FunctionName=deployed.function, InvocationType="Event", Payload=json.dumps(event or {}))
    handovers, ranges, job_key = 0, 0, ""
    counts: dict[int, int] = {}
    last: dict[str, Any] = {}
    for line in follow.lines(tail, since, SECONDS, why=lambda: ministack.last_lines(emulator.root)):
        last = line
        handovers += line["event"] == "handover"
        job_key = line.get("job_key", job_key)
        ranges += line["event"] == "range_done"
        if line["event"] in {"checkpoint", "complete"}:
            counts[line.get("range", -1)] = line["count"]
            progress(line["count"] if line["event"] == "complete" else sum(counts.values()), line["hop"])
    if last["event"] != "complete":
        raise follow.ChainError(f"the job ended as {last['event']}: {last.get('reason', 'no reason was given')}")
    seconds = time.monotonic() - began
    return Chain(last["job_id"], job_key, last["manifest_key"], last["count"], handovers, seconds, ranges)
