"""``watch``: one job, live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from presign_siblings.cli.program import printable
from presign_siblings.errors import DONE, FAILED, UNFINISHED
from presign_siblings.remote import switches as rules
from presign_siblings.remote import watch as watching
from presign_siblings.remote.jobs import Jobs
from presign_siblings.remote.slowest import in_words
from presign_siblings.words import span
from processor.ledger import COMPLETE, FANNED_OUT, PARKED
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from presign_siblings.cli.console import Terminal
    from presign_siblings.remote.watch import WatchSample
    from processor.job import DeploymentSettings
    from processor.ledger import Record

ENDED = {COMPLETE: DONE, PARKED: UNFINISHED}


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
    from rich.live import Live  # noqa: PLC0415 - the jobs table is asked before

    from presign_siblings.cli.watch_screen import screen  # noqa: PLC0415 - as above

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
                    f"{changed[0]}: hop {record.place.hop}, {keys(look)}{ranges(record)}{_slowest(look)}{why(look)}"
                )
    return look


def keys(look: WatchSample) -> str:
    """Return how many keys there are, of how many, and how fast they come."""
    rate = "" if look.rate is None else f", {look.rate:,.0f} keys/s"
    of = "" if look.expected is None else f" of about {look.expected:,}"
    left = "" if look.left is None else f", about {span(look.left.total_seconds())} left"
    return f"{plural(look.seen.record.count, 'key')}{of}{rate}{left}"


def ranges(record: Record) -> str:
    """Return how far the ranges of a job are that several chains share."""
    shared = record.state == FANNED_OUT
    return f", {record.ranges_done} of {record.ranges} ranges done" if shared else ""


def _slowest(look: WatchSample) -> str:
    """Return which range holds the job up."""
    told = in_words(look.slowest, look.now)
    return told and f"; {told}"


def why(look: WatchSample) -> str:
    """Return why a job has ended, where its record says so."""
    return f" ({printable(look.seen.record.reason)})" if look.seen.record.reason else ""
