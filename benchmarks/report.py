"""The findings as a table in the terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.ablation import Ablation
    from benchmarks.results import Findings, Goal, Model, Row

_COLUMNS = ("what", "who", "objects", "keys/s, median", "slowest to fastest", "ours is ... times", "CPU s", "peak MB")
_MODEL_COLUMNS = (
    "keys",
    "objects",
    "16 readers",
    "bound",
    "requests",
    "with a key map",
    "requests",
    "64 readers",
    "bound",
)
_GOAL_COLUMNS = ("goal", "wanted", "measured", "")
_ABLATION_COLUMNS = ("without", "16 readers, worst set", "geometric mean", "requests, worst set", "mean")
_ABLATIONS = """\
The first run with 16 readers on all of these sets of the smaller size, without one part at a time. A part without which
nothing changes is not needed."""
_METHOD = """\
Every run is a fresh process pinned to one core, against a local S3 stub on another core with prepared pages of 1,000
keys and no latency (unless stated). Two keys in a hundred are no PDFs and one needs percent-encoding. Credentials are
session credentials with an 800-character token, so a plain manifest line is about 1.3 KB. All write the same lines:
before timing, every key and a tenth of the signatures of each contestant were compared with botocore's; after each
timed run its number of keys was checked. The clock starts after the imports and after one page of the same work, as in
a warm Lambda; memory and cold start are measured without that. Ratios are formed pair by pair in alternating runs
(ours, other, ours, other ...) of equal size, and the median pair is shown with the lowest and the highest. CPU seconds
are those of one run, child processes counted; peak memory is the whole process's. Signing alone makes each URL one
text, as the peers' calls do; a job copies the URL's parts into its line. In whole jobs ours lists one page after the
other, as every peer does, and has the two settings of malloc that its stack makes; memory is that of 16 readers.

What the peers are better at: obstore speaks to other clouds too and needs no event loop; s5cmd is a whole command line,
which has no bulk presigning and is measured through one `presign` command a key; boto3 and minio-py presign every
operation, not only GET. obstore, minio-py and boto3 write the manifest uncompressed, as their users do; the second
obstore row compresses with the same library as ours. Over plain HTTP all of them hash what they upload, which over
HTTPS some leave out. The network and S3's own pace are not in these figures: real S3 seldom lists more than 12,000
keys a second in one chain, so a job on AWS waits for S3 most of the time, and what is measured here is the CPU that
the Lambda is billed for during that wait.

The start of a command is the CPU time of a fresh process until the first byte of its first request is on its way, or to
its end where it asks nothing: at AWS through a proxy, and where a URL is named at another store.

Downloads are whole processes, from their start to their end, each with all cores, from a server that gives objects from
memory and takes a tenth of the time, or at the pace of a network: ours, curl and rclone (`copyurl --urls`) read
presigned URLs, 16 files at once; `s5cmd cp`, with its own 256 at once, and `rclone copy` list the bucket and sign each
request. Ours and `rclone copy` compare every file's bytes with the object's ETag, by MD5; the others compare nothing,
as ours does with `--ignore-checksum`. "MD5 alone" is what that costs at best: as many bytes from memory, in a process a
core, fetched from nowhere and written nowhere. Where it takes as long as a whole program that compares nothing, no
download that compares MD5 is as quick as that program."""

_MODEL = """\
The processor's own planner on each set of keys; every request takes as long as any other, and nothing else takes time.
So the figures are the same on every machine. Columns of readers: how many times as fast as one chain. Columns of
requests: in requests of one chain. A bound is what this number of readers could reach with this number of requests.
The run with a key map has the one that the first run left."""


def cells(row: Row) -> tuple[str, ...]:
    """Format a row of the table."""
    slowest, fastest = row.spread
    ratios = row.ratios
    pair = f"{median(ratios):.3g} ({min(ratios):.3g} to {max(ratios):.3g})" if ratios else ""
    return (
        row.scenario,
        row.name,
        f"{row.objects:,}",
        f"{row.rate:,.0f}",
        f"{slowest:,.0f} to {fastest:,.0f}",
        pair,
        f"{row.cpu_seconds:.2f}",
        f"{row.peak_bytes / 1e6:.0f}",
    )


def model_cells(model: Model) -> tuple[str, ...]:
    """Format a row of the model's table."""
    first, mapped, many = model.first, model.mapped, model.many
    cells = (
        f"{first.times:.1f}",
        f"{first.bound:.1f}",
        f"{first.cost:.2f}",
        f"{mapped.times:.1f}",
        f"{mapped.cost:.3f}",
    )
    return model.name.replace("_", " "), f"{model.objects:,}", *cells, f"{many.times:.1f}", f"{many.bound:.1f}"


def ablation_cells(found: Ablation) -> tuple[str, ...]:
    """Format a row of what the planner is without one of its parts."""
    (least, name), cells = found.worst, (f"{found.times:.2f}", f"{found.most:.2f}", f"{found.cost:.3f}")
    return found.part, f"{least:.1f} ({name})", *cells


def print_tables(findings: Findings, machine: Mapping[str, str]) -> None:
    """Print the tables."""
    console = Console()
    for name, value in machine.items():
        console.print(f"[bold]{name}[/bold]: {value}", highlight=False, soft_wrap=True)
    tables = (
        (_COLUMNS, 2, [cells(row) for row in findings.rows]),
        (_MODEL_COLUMNS, 1, [model_cells(model) for model in findings.models]),
        (_ABLATION_COLUMNS, 1, [ablation_cells(each) for each in findings.ablations]),
        (_GOAL_COLUMNS, len(_GOAL_COLUMNS), _goal_cells([*findings.goals, *findings.model_goals])),
    )
    for columns, numeric_from, lines in tables:
        if not lines:
            continue
        table = Table(header_style="bold")
        for place, column in enumerate(columns):
            numeric = place >= numeric_from
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for line in lines:
            table.add_row(*line)
        console.print(table)
    for note in findings.notes:
        console.print(note, highlight=False)


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]], numeric_from: int) -> str:
    rule = ["---:" if place >= numeric_from else "---" for place in range(len(columns))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rule, *lines))


def markdown(findings: Findings, machine: Mapping[str, str]) -> str:
    """Write the report of everything that was timed."""
    parts = [
        "# Benchmarks",
        "Made by `make bench`; not edited by hand.",
        "![keys a second, side by side](bench.svg)",
        "![keys a second over the list requests under way](readers.svg)",
        "## Goals",
        _table(_GOAL_COLUMNS, _goal_cells(findings.goals), numeric_from=1),
        "## Measured",
        _table(_COLUMNS, [cells(row) for row in findings.rows], numeric_from=2),
        *findings.notes,
        "## How",
        _METHOD,
        "## Where",
        "\n".join(f"- {name}: {value}" for name, value in machine.items()),
    ]
    return "\n\n".join(parts) + "\n"


def models_markdown(findings: Findings) -> str:
    """Write the page of the listings in virtual time."""
    parts = [
        "# Ranges in virtual time",
        "Made by `make bench`, or by `make bench ARGS='--only model --out docs/measurements'`; not edited by hand.",
        _MODEL,
        "## Goals",
        _table(_GOAL_COLUMNS, _goal_cells(findings.model_goals), numeric_from=1),
        "## Sets of keys",
        _table(_MODEL_COLUMNS, [model_cells(model) for model in findings.models], numeric_from=1),
        "## What each part of the planner brings",
        _ABLATIONS,
        _table(_ABLATION_COLUMNS, [ablation_cells(each) for each in findings.ablations], numeric_from=1),
    ]
    return "\n\n".join(parts) + "\n"


def _goal_cells(goals: Sequence[Goal]) -> list[tuple[str, ...]]:
    return [(goal.text, goal.wanted, goal.measured, goal.verdict) for goal in goals]


def as_json(findings: Findings, machine: Mapping[str, str]) -> str:
    """Write everything, each sample too."""
    return json.dumps({"machine": dict(machine), **asdict(findings)}, indent=1)
