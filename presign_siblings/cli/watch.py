"""``watch``: one job, live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from presign_siblings.cli.console import Terminal, printable
from presign_siblings.cli.status import COLOURS
from presign_siblings.errors import DONE, FAILED, UNFINISHED
from presign_siblings.remote import switches as rules
from presign_siblings.remote import watch as watching
from presign_siblings.remote.jobs import Jobs
from presign_siblings.remote.slowest import in_words
from presign_siblings.words import span
from processor.ledger import COMPLETE, FANNED_OUT, PARKED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from presign_siblings.remote.watch import WatchSample
    from processor.job import DeploymentSettings
    from processor.ledger import Record

ENDED = {COMPLETE: DONE, PARKED: UNFINISHED}
BAR = 40


def watch(terminal: Terminal, job: str, expect: int | None, every: float, stack: str | None, function: str) -> None:
    """Watch a job until it ends: hops, keys, rate, estimate, guards."""
    deployed = terminal.deployed(stack, function)
    jobs = Jobs(terminal.client("dynamodb"), deployed.table())
    events, functions = terminal.client("events"), terminal.client("lambda")

    def switches() -> rules.Switches | None:
        try:
            return rules.switches(events, functions, deployed)
        except ClientError:  # the operator may lack the right to read the switches
            return None

    seen = jobs.find(job)
    looks = watching.looks(jobs, seen, expected=expect, every=every, switches=switches)
    budgets = deployed.deployment
    live = terminal.out.is_terminal and not terminal.json
    last = _live(terminal, looks, budgets) if live else _lines(terminal, looks, budgets)
    raise SystemExit(ENDED.get(last.seen.record.state, FAILED))


def _live(terminal: Terminal, looks: Iterator[WatchSample], budgets: DeploymentSettings) -> WatchSample:
    with Live(console=terminal.out, refresh_per_second=4) as live:
        for look in looks:
            live.update(screen(look, budgets))
    return look


def _lines(terminal: Terminal, looks: Iterator[WatchSample], budgets: DeploymentSettings) -> WatchSample:
    """Print a line whenever something has changed."""
    before: Any = None
    for look in looks:
        record = look.seen.record
        changed = (look.seen.state(look.now), record.place.hop, record.count, record.stop, record.ranges_done)
        if changed != before:
            before = changed
            if terminal.json:
                terminal.result(look.to_dict(budgets))
            else:
                terminal.say(
                    f"{changed[0]}: hop {record.place.hop}, {_keys(look)}{_ranges(record)}{_slowest(look)}{_why(look)}"
                )
    return look


def _keys(look: WatchSample) -> str:
    rate = "" if look.rate is None else f", {look.rate:,.0f} keys/s"
    of = "" if look.expected is None else f" of about {look.expected:,}"
    left = "" if look.left is None else f", about {span(look.left.total_seconds())} left"
    return f"{look.seen.record.count:,} keys{of}{rate}{left}"


def _ranges(record: Record) -> str:
    """Return how far the ranges of a job are that several chains share."""
    shared = record.state == FANNED_OUT
    return f", {record.ranges_done} of {record.ranges} ranges done" if shared else ""


def _slowest(look: WatchSample) -> str:
    """Return which range holds the job up."""
    told = in_words(look.slowest, look.now)
    return told and f"; {told}"


def _why(look: WatchSample) -> str:
    return f" ({look.seen.record.reason})" if look.seen.record.reason else ""


def screen(look: WatchSample, budgets: DeploymentSettings) -> Group:
    """Return what a terminal shows."""
    record, told = look.seen.record, look.guards(budgets)
    state, job = look.seen.state(look.now), record.place.job
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("job", Text(f"{record.job_id}  s3://{job.bucket}/{printable(job.prefix)}"))
    table.add_row("state", Text(state + _why(look), style=COLOURS[state]))
    table.add_row("hop", Text(f"{record.place.hop}, since {span((look.now - record.place.started).total_seconds())}"))
    table.add_row("keys", Text(_keys(look) + _ranges(record)))
    if look.slowest is not None:
        table.add_row("", Text(in_words(look.slowest, look.now)))
    if look.expected:
        table.add_row("", ProgressBar(total=look.expected, completed=min(record.count, look.expected), width=BAR))
    dying = f"die from {record.expires_at:%Y-%m-%d %H:%M} UTC on" if record.expires_at else "none yet"
    table.add_row("URLs", Text(dying))
    table.add_row("guards", Text("\n".join(guard_lines(told))))
    return Group(table)


def guard_lines(told: dict[str, Any]) -> Iterator[str]:
    """Yield the guards for a reader."""
    yield f"hops {told['hops']} of {told['max_hops']}"
    yield f"age {span(told['age_seconds'])} of {span(told['max_job_seconds'])}"
    if told["takeovers"]:
        yield f"{told['takeovers']} take-overs without progress"
    if told["stop"]:
        yield "an operator asked the job to stop: it parks at the next page"
    for name, state in told.get("rules", {}).items():
        yield f"rule {name} is {state}"
    if "reserved_concurrency" in told:
        reserved = told["reserved_concurrency"]
        yield "no concurrency is reserved" if reserved is None else f"reserved concurrency {reserved}"
