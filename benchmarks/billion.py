"""
A prefix of a billion keys, in virtual time: how many hops, requests, hours and dollars its manifest takes.

``python -m benchmarks.billion`` runs the processor's own ``RangePlanner`` over generated pages, hop after hop, and
writes ``docs/measurements/billion.md``; half an hour on a busy machine. What it assumes of S3, Lambda and prices stands
in that page.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from benchmarks.dataset import key_at
from processor.fanout.plan import RANGES_A_CHAIN
from processor.job import KeyRange
from processor.listing import RangePlanner, Request

READERS = 16  # of each chain, where several share a job
LIST_SECONDS, LIST_SIGMA = 0.08, 0.35  # median, and the logarithm's standard deviation
KEYS_PER_SECOND = 100_000  # signed, compressed and written on one vCPU; docs/measurements/bench.md: 120,000 to 160,000
HOP_SECONDS, SPARE_SECONDS, START_SECONDS = 900.0, 10.0, 1.0
LAST_SECONDS = HOP_SECONDS - SPARE_SECONDS - START_SECONDS  # no page is taken later
PAGE, PREFIX = 1000, "set-1000000000/"
LINE_BYTES, PART_BYTES = 70, 5 << 20
RANGE_SECONDS, GATHER_SECONDS = 2.0, 10.0  # a child of the state machine and its Lambda; the copies of 70 GB at the end
TRANSITIONS, DOLLARS_TRANSITION = 6, 0.025 / 1000  # of the state machine for each range
LISTS_A_SECOND = 5500  # S3's documented rate of reads for one partition of a bucket; more needs time to be divided
GIB, MEMORY_GIB = 1 << 30, 1769 / 1024
DOLLARS_REQUEST, DOLLARS_GIB_SECOND, DOLLARS_INVOKE = 0.005 / 1000, 0.0000133334, 0.2 / 1e6
_FOLDERS = key_at(PREFIX, 0)[: -len("000000/") - len(key_at(PREFIX, 0).rpartition("/")[2])]
_NAMES = [key_at(PREFIX, place).rpartition("/")[2] for place in range(PAGE)]


class Generated(Sequence[str]):
    """Keys that are made when they are looked at."""

    def __init__(self, places: range) -> None:
        self._places = places

    def __len__(self) -> int:
        """Count them."""
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Generated: ...
    def __getitem__(self, index: int | slice) -> str | Generated:
        """Make one, or a part of them."""
        if isinstance(index, slice):
            return Generated(self._places[index])
        folder, place = divmod(self._places[index], PAGE)
        return f"{_FOLDERS}{folder:06d}/{_NAMES[place]}"

    def __eq__(self, other: object) -> bool:
        """Compare with other keys of the same set."""
        return isinstance(other, Generated) and self._places == other._places

    __hash__ = None  # type: ignore[assignment]

    def behind(self, key: str) -> int:
        """Return the place of the first key after another, of an object or not."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self[middle] > key else (middle + 1, high)
        return low


@dataclass
class Job:
    """
    What a job has taken so far.

    :param ranges: Where it stands.
    """

    readers: int
    hops: int = 0
    pages: int = 0
    requests: int = 0
    seconds: float = 0.0
    done: int = 0
    ranges: Sequence[KeyRange] = (KeyRange(0, "", None, "", None, done=False),)
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    @property
    def dollars(self) -> dict[str, float]:
        """What it costs, by what is billed."""
        parts = self.done * LINE_BYTES / PART_BYTES
        return {
            "LIST": self.requests * DOLLARS_REQUEST,
            "parts": parts * DOLLARS_REQUEST,
            "Lambda": self.seconds * MEMORY_GIB * DOLLARS_GIB_SECOND + self.hops * DOLLARS_INVOKE,
        }

    def latency(self) -> float:
        """Draw how long a request takes."""
        return LIST_SECONDS * self.rng.lognormvariate(0, LIST_SIGMA)


def plain_hop(job: Job, count: int) -> bool:
    """Work for one Lambda with one request after the other; the next is under way while a page is written."""
    now = free = 0.0
    job.hops += 1
    while job.done < count and free < LAST_SECONDS:
        now += job.latency()
        page = min(PAGE, count - job.done)
        free = max(free, now) + page / KEYS_PER_SECOND
        job.done, job.pages, job.requests = job.done + page, job.pages + 1, job.requests + 1
    job.requests += job.done < count  # the one that is under way at the hand-over
    job.seconds += free + START_SECONDS
    return job.done == count


def hop(job: Job, keys: Generated) -> bool:
    """
    Work for one Lambda, from where the ranges stand; tell whether the listing has ended.

    :return: ``False`` when the time ran out; what was under way is lost.
    """
    planner = RangePlanner(PREFIX, job.ranges, PAGE)
    flying: list[tuple[float, int, str]] = []
    ready: list[tuple[int, str, int, bool]] = []
    now, free = 0.0, 0.0
    job.hops += 1
    while True:
        while (request := _request(planner, job.readers, len(flying), len(ready))) is not None:
            heapq.heappush(flying, (now + job.latency(), *request))
            job.requests += 1
        writes_at = max(free, now) + ready[0][2] / KEYS_PER_SECOND if ready else float("inf")
        if flying and flying[0][0] <= writes_at:
            now, number, after = heapq.heappop(flying)
            place = keys.behind(after)
            kept, is_last = planner.arrived(number, keys[place : place + PAGE], truncated=place + PAGE < len(keys))
            ready.append((number, planner.at(number), len(kept), is_last))
            continue
        now = free = writes_at
        number, last, count, is_last = ready.pop(0)
        planner.written(number, last, None, is_last=is_last)
        job.done, job.pages = job.done + count, job.pages + 1
        ended = not (planner.open or ready)
        if ended or now >= LAST_SECONDS:
            job.ranges = planner.partition()
            job.seconds += now + START_SECONDS
            return ended


def _request(planner: RangePlanner, readers: int, flying: int, ready: int) -> Request | None:
    """Choose the next request where there is room: pages that wait for the writer take the place of requests."""
    return planner.next_request(readers) if flying + ready <= readers else None


def run(count: int, readers: int) -> Job:
    """List, sign and write a prefix of ``count`` keys."""
    job, keys = Job(readers), Generated(range(count))
    while not (plain_hop(job, count) if readers == 1 else hop(job, keys)):
        if job.hops % 10 == 0:
            print(f"  {readers} readers: hop {job.hops}, {job.done:,} keys, {job.seconds / 3600:.1f} h", flush=True)
    if job.done != count:
        raise RuntimeError(f"{job.done} keys of {count}")
    return job


@dataclass(frozen=True, slots=True)
class Divided:
    """
    A job of several chains on one state machine.

    :param chains: Chains at once, each with ``READERS`` readers.
    :param ranges: What the plan divides the keys into; a chain takes one after the other.
    :param one:    What one range takes.
    """

    chains: int
    ranges: int
    one: Job

    @property
    def seconds(self) -> float:
        """From the start to the manifest."""
        return self.ranges / self.chains * (self.one.seconds + RANGE_SECONDS) + GATHER_SECONDS

    @property
    def lists_a_second(self) -> float:
        """LIST requests a second, while all chains list."""
        return self.chains * self.one.requests / self.one.seconds

    @property
    def dollars(self) -> dict[str, float]:
        """What it costs, by what is billed."""
        transitions = self.ranges * TRANSITIONS * DOLLARS_TRANSITION
        return {what: part * self.ranges for what, part in self.one.dollars.items()} | {"Step Functions": transitions}


def divided(count: int, chains: int) -> Divided:
    """Divide ``count`` keys between chains, as a key map does: into ranges of equally many keys."""
    ranges = chains * RANGES_A_CHAIN
    return Divided(chains, ranges, run(-(-count // ranges), READERS))


def _money(dollars: dict[str, float]) -> str:
    return f"{sum(dollars.values()):.2f} ({', '.join(f'{what} {part:.2f}' for what, part in dollars.items())})"


def _row(job: Job, count: int) -> str:
    cells = (
        "plain chain" if job.readers == 1 else f"{job.readers} readers",
        f"{job.hops}",
        f"{job.requests:,}",
        f"{job.requests / (count / PAGE):.2f}",
        f"{job.seconds / 60:,.1f}",
        f"{count / job.seconds:,.0f}",
        f"{job.requests / job.seconds:,.0f}",
        _money(job.dollars),
    )
    return f"| {' | '.join(cells)} |"


def _divided_row(job: Divided, count: int) -> str:
    requests, over = job.one.requests * job.ranges, job.lists_a_second > LISTS_A_SECOND
    cells = (
        f"{job.chains} chains of {READERS} readers",
        f"{job.one.hops * job.ranges}",
        f"{requests:,}",
        f"{requests / (count / PAGE):.2f}",
        f"{job.seconds / 60:,.1f}",
        f"{count / job.seconds:,.0f}",
        f"{job.lists_a_second:,.0f}{' (over)' if over else ''}",
        _money(job.dollars),
    )
    return f"| {' | '.join(cells)} |"


def report(count: int, jobs: Sequence[Job], chains: Sequence[Divided], larger: Sequence[Divided], command: str) -> str:
    """
    Write the page.

    :param larger: Jobs of ten times as many keys.
    """
    size, times = count * LINE_BYTES, LIST_SECONDS * 1000
    gib, parts = f"{size / GIB:,.0f} GiB", f"{size / PART_BYTES:,.0f}"
    hop_seconds, spare = f"{HOP_SECONDS:.0f} s", f"{SPARE_SECONDS:.0f} s"
    head = "| listing | hops | LIST requests | over the plain chain's | minutes | keys/s | LIST/s | dollars |"
    rule = "|---|---:|---:|---:|---:|---:|---:|---:|"
    rows = [*(_row(job, count) for job in jobs), *(_divided_row(each, count) for each in chains)]
    more = [_divided_row(each, 10 * count) for each in larger]
    return f"""# A prefix of {count:,} keys

Made by `{command}`; not edited by hand. A simulation in virtual time, not a run on AWS: the
processor's own splitting logic reads generated pages of {PAGE:,} keys, hop after hop, each from where the ranges stand.

{head}
{rule}
{chr(10).join(rows)}

The same with {10 * count:,} keys:

{head}
{rule}
{chr(10).join(more)}

What it assumes:

- Keys: folders of 1,000 numbered files. Keys whose next places are hard to guess take more time and more requests on a
  first run ([ranges in virtual time](ranges.md)), up to 1.5 times the requests.
- S3: a LIST takes {times:.0f} ms in the median, log-normal with sigma {LIST_SIGMA}; the plain chain then gives
  the 12,000 keys/s that published measurements of one chain show. No SlowDown: S3 names no rate for LIST, and
  {LISTS_A_SECOND:,} reads a second for each partition of a bucket. Rows with more say "over": S3 divides busy
  partitions by itself, but that takes minutes, so a first run of that width meets SlowDown, and uses fewer readers.
- Lambda: {hop_seconds} a hop, of which `SHUTDOWN_PERIOD` {spare} stay free and {START_SECONDS:.0f} s goes to
  start and hand-over; one vCPU (1,769 MB, arm64) signs, compresses and writes {KEYS_PER_SECOND:,} keys/s. A new account
  runs 1,000 invocations at once; the stack's reserved concurrency must carry the chains.
- Several chains: ranges of equally many keys, as the key map of an earlier run gives them; a chain takes
  {RANGES_A_CHAIN}, one after the other. Each costs {RANGE_SECONDS:.0f} s for a child of the state machine and its
  Lambda, and {TRANSITIONS} transitions; the copies at the end take {GATHER_SECONDS:.0f} s.
- The defaults otherwise, and gzip: {gib} at {LINE_BYTES} bytes a line, {parts} parts of 5 MiB in the pieces.
- Prices of us-east-1 as published in November 2026: LIST and part uploads $0.005 a thousand, Lambda on arm64
  $0.0000133334 a GB-second and $0.20 a million invocations, Step Functions $0.025 a thousand transitions. Storage,
  DynamoDB and logs are not in it.

Published figures for parallel listing alone, without signing, are 3 to 6 million keys/s on machines with many cores.

`MAX_HOPS` (100) and `MAX_JOB_SECONDS` (86,400) bound one budget: a job that needs more parks, and a `resume` opens
the next.
"""


def main() -> None:
    """Simulate, print the page, and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.billion", description="a billion keys, in virtual time")
    parser.add_argument("--keys", type=int, default=1_000_000_000, help="how many; fewer writes nothing")
    parser.add_argument("--readers", type=int, nargs="+", default=[1, 16], help="1 is the plain chain")
    parser.add_argument("--out", type=Path, default=Path("docs/measurements/billion.md"))
    parser.add_argument("--chains", type=int, nargs="+", default=[16, 64, 256], help="chains that share the job")
    options = parser.parse_args()
    chains, larger = ([divided(keys, each) for each in options.chains] for keys in (options.keys, 10 * options.keys))
    jobs = [run(options.keys, readers) for readers in options.readers]
    page = report(options.keys, jobs, chains, larger, "python -m benchmarks.billion")
    print(page)
    if options.keys == parser.get_default("keys"):
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
