"""``watch``: one job, live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from presign_siblings.cli.watch_words import keys, ranges, slowest, why
from presign_siblings.errors import DONE, FAILED, UNFINISHED
from presign_siblings.remote import switches as rules
from presign_siblings.remote import watch as watching
from presign_siblings.remote.jobs import Jobs
from processor.ledger import COMPLETE, PARKED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from presign_siblings.cli.console import Terminal
    from presign_siblings.remote.watch import WatchSample
    from processor.job import DeploymentSettings

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

    snapshot = jobs.find(job)
    samples = watching.samples(jobs, snapshot, expected=expect, every=every, switches=switches)
    budgets = deployed.deployment
    live = terminal.out.is_terminal and not terminal.json
    last = _live(terminal, samples, budgets) if live else _lines(terminal, samples, budgets)
    raise SystemExit(ENDED.get(last.snapshot.record.state, FAILED))


def _live(terminal: Terminal, samples: Iterator[WatchSample], budgets: DeploymentSettings) -> WatchSample:
    from rich.live import Live  # noqa: PLC0415 - the jobs table is asked before

    from presign_siblings.cli.watch_screen import screen  # noqa: PLC0415 - as above

    with Live(console=terminal.out, refresh_per_second=4) as live:
        for sample in samples:
            live.update(screen(sample, budgets))
    return sample


def _lines(terminal: Terminal, samples: Iterator[WatchSample], budgets: DeploymentSettings) -> WatchSample:
    """Print a line whenever something has changed."""
    before: Any = None
    for sample in samples:
        record = sample.snapshot.record
        changed = (sample.snapshot.state(sample.now), record.place.hop, record.count, record.stop, record.ranges_done)
        if changed != before:
            before = changed
            if terminal.json:
                terminal.result(sample.to_dict(budgets))
            else:
                terminal.say(
                    f"{changed[0]}: hop {record.place.hop}, {keys(sample)}{ranges(record)}{slowest(sample)}"
                    f"{why(sample)}"
                )
    return sample
