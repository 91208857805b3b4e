"""What ``watch`` shows on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from presign_siblings.cli.program import printable
from presign_siblings.cli.status import COLOURS
from presign_siblings.cli.watch_words import keys, ranges, why
from presign_siblings.remote.slowest import in_words
from presign_siblings.words import span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from presign_siblings.remote.watch import WatchSample
    from processor.job import DeploymentSettings

BAR = 40


def screen(sample: WatchSample, budgets: DeploymentSettings) -> Group:
    """Return the screen of a sample."""
    record, guards = sample.snapshot.record, sample.guards(budgets)
    state, job = sample.snapshot.state(sample.now), record.place.job
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("job", Text(f"{record.job_id}  s3://{job.bucket}/{printable(job.prefix)}"))
    table.add_row("state", Text(state + why(sample), style=COLOURS[state]))
    table.add_row("hop", Text(f"{record.place.hop}, since {span((sample.now - record.place.started).total_seconds())}"))
    table.add_row("keys", Text(keys(sample) + ranges(record)))
    if sample.slowest is not None:
        table.add_row("", Text(in_words(sample.slowest, sample.now)))
    if sample.expected:
        table.add_row("", ProgressBar(total=sample.expected, completed=min(record.count, sample.expected), width=BAR))
    dying = "none yet"
    if record.expires_at:
        dying = f"{'die' if record.expires_at > sample.now else 'died'} from {record.expires_at:%Y-%m-%d %H:%M} UTC on"
    table.add_row("URLs", Text(dying))
    table.add_row("guards", Text("\n".join(guard_lines(guards))))
    return Group(table)


def guard_lines(guards: dict[str, Any]) -> Iterator[str]:
    """Yield the guards for a reader."""
    yield f"hops {guards['hops']} of {guards['max_hops']}"
    yield f"age {span(guards['age_seconds'])} of {span(guards['max_job_seconds'])}"
    if guards["takeovers"]:
        yield f"{guards['takeovers']} take-overs without progress"
    if guards["stop"]:
        yield "an operator asked the job to stop: it parks at the next page"
    for name, state in guards.get("rules", {}).items():
        yield f"rule {name} is {state}"
    if "reserved_concurrency" in guards:
        reserved = guards["reserved_concurrency"]
        yield "no concurrency is reserved" if reserved is None else f"reserved concurrency {reserved}"
