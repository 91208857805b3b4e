"""The page of a billion keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.billion.facts import (
    CHILDREN_PER_SECOND,
    COPY_BYTES_PER_SECOND,
    COPY_SECONDS,
    GIB,
    HOP_SECONDS,
    KEYS_PER_SECOND,
    LINE_BYTES,
    LIST_SECONDS,
    LIST_SIGMA,
    PAGE,
    PART_BYTES,
    RANGE_SECONDS,
    SAMPLE,
    SPARE_SECONDS,
    START_SECONDS,
    TRANSITIONS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.billion.taken import Taken

LISTS_A_SECOND = 5500  # S3's documented rate of reads for one partition of a bucket
ACCOUNT_INVOCATIONS = 1000  # at once, in a new account
MAX_HOPS = 100
GOAL_MINUTES, GOAL_DOLLARS = 5, 7
HEAD = "| listing | ranges | hops | LIST requests | minutes | keys/s | LIST/s | dollars | binds |"
RULE = "|---|---:|---:|---:|---:|---:|---:|---:|---|"


def _binds(row: Taken) -> str:
    """Name the quotas that limit a row."""
    found = []
    if row.lists_a_second > LISTS_A_SECOND:
        found.append("S3's rate")
    if row.hops - row.ranges * (row.ranges > 1) > MAX_HOPS:
        found.append("`MAX_HOPS`")
    if "chains" in row.label and int(row.label.split()[0]) > CHILDREN_PER_SECOND:
        found.append("start of children")
    return ", ".join(found)


def _row(row: Taken) -> str:
    dollars = ", ".join(f"{what} {part:.2f}" for what, part in row.dollars.items() if part >= 0.005)  # noqa: PLR2004
    cells = (
        row.label,
        f"{row.ranges:,}",
        f"{row.hops:,}",
        f"{row.lists:,.0f}",
        f"{row.seconds / 60:,.1f}",
        f"{row.count / row.seconds:,.0f}",
        f"{row.lists_a_second:,.0f}",
        f"{sum(row.dollars.values()):.2f} ({dollars})",
        _binds(row),
    )
    return f"| {' | '.join(cells)} |"


def _goal(rows: Sequence[Taken]) -> str:
    """Return which rows meet the goal."""
    met = [row.label for row in rows if row.seconds < 60 * GOAL_MINUTES and sum(row.dollars.values()) < GOAL_DOLLARS]
    text = f"under {GOAL_MINUTES} minutes for under {GOAL_DOLLARS} dollars"
    if not met:
        return f"The goal, {text}, is missed."
    return "\n".join([f"The goal, {text}, is met with:", "", *(f"- {label}" for label in met)])


def page(found: Mapping[int, Sequence[Taken]]) -> str:
    """Write the page."""
    (count, rows), (larger, more) = found.items()
    goal = _goal(rows)
    fastest = max(row.count / row.seconds for row in [*rows, *more])
    gib, parts = f"{count * LINE_BYTES / GIB:,.0f} GiB", f"{count * LINE_BYTES / PART_BYTES:,.0f}"
    return f"""# A prefix of {count:,} keys

Made by `python -m benchmarks.billion`; not edited by hand. A simulation in virtual time, not a run on AWS: the
processor's own planners read generated pages of {PAGE:,} keys.

{goal}

{HEAD}
{RULE}
{chr(10).join(map(_row, rows))}

The same with {larger:,} keys:

{HEAD}
{RULE}
{chr(10).join(map(_row, more))}

Published figures for parallel listing alone, without signing, are 3 to 6 million keys/s on machines with many
cores. The fastest row here lists, signs, compresses and writes {fastest / 1e6:.1f} million keys/s.

What binds:

- S3's rate: S3 names no rate for LIST, and {LISTS_A_SECOND:,} reads a second for each partition of a bucket. It
  divides busy partitions by itself, but that takes minutes; until then a job of that width meets SlowDown, and uses
  fewer readers.
- Lambda: a new account runs {ACCOUNT_INVOCATIONS:,} invocations at once, and the stack's reserved concurrency must
  carry the chains. No row needs more.
- Step Functions: a Distributed Map starts {CHILDREN_PER_SECOND} Standard children a second, so that more chains
  than that begin over some seconds. Its other quotas (10,000 children at once, 25,000 events a history) are far.
- `MAX_HOPS` ({MAX_HOPS}) counts the hand-overs of all chains; a job that needs more parks, and a `resume` opens the
  next budget. `MAX_JOB_SECONDS` (86,400) likewise.

What it assumes:

- What is alike is simulated once: a listing of {SAMPLE:,} keys by one Lambda. A range takes what the listing took
  until it had as many keys; a longer one continues at the pace of its later half. A hand-over repeats the requests
  under way.
- Keys: folders of 1,000 numbered files. Keys whose next places are hard to guess take more time and more requests
  on a first run ([ranges in virtual time](ranges.md)), up to 1.5 times the requests. The ranges of several chains
  are what the plan makes of these keys, first by looking at 8 pages a chain, then by the key map of an earlier run;
  a chain takes the next range when it is free.
- S3: a LIST takes {1000 * LIST_SECONDS:.0f} ms in the median, log-normal with sigma {LIST_SIGMA}; the plain chain
  then gives the 12,000 keys/s that published measurements of one chain show. A copy of a piece at the end takes
  {COPY_SECONDS} s and a second for each {COPY_BYTES_PER_SECOND / 1e6:.0f} MB, 16 at once.
- Lambda: {HOP_SECONDS:.0f} s a hop, of which `SHUTDOWN_PERIOD` {SPARE_SECONDS:.0f} s stay free and
  {START_SECONDS:.0f} s goes to start and hand-over; one vCPU (1,769 MB, arm64) signs, compresses and writes
  {KEYS_PER_SECOND:,} keys/s.
- Several chains: each range costs {RANGE_SECONDS:.0f} s for a child of the state machine and its Lambda, and
  {TRANSITIONS} transitions.
- The defaults otherwise, and gzip: {gib} at {LINE_BYTES} bytes a line, {parts} parts of 5 MiB in the pieces.
- Prices of us-east-1 as published in November 2026: LIST, part uploads and copies $0.005 a thousand, Lambda on
  arm64 $0.0000133334 a GB-second and $0.20 a million invocations, Step Functions $0.025 a thousand transitions.
  Storage, DynamoDB and logs are not in it.
"""
