"""``watch``: one job, live."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import Seconds, aws_options, function_options


@click.command(epilog=examples("watch 3f2a", "watch 3f2a --expect 2000000", "watch 3f2a --json | jq .rate"))
@click.argument("job")
@click.option(
    "--expect",
    type=click.IntRange(0),
    metavar="KEYS",
    help="Keys of the whole job; by default those of its last manifest.",
)
@click.option(
    "--every", type=Seconds(0.1), metavar="DURATION", default=2.0, show_default=True, help="Time between samples."
)
@function_options
@aws_options
def watch(**_: Any) -> None:
    """
    Watch a job until it ends: hops, keys, rate, estimate, guards.

    JOB is a job's key or id, or the beginning of either. The jobs table has the number of keys: a hop writes it
    every 15 s, and when it ends. The slowest range of several chains is looked for every 20 s. The exit code is 0 for
    complete, 5 for parked, 1 for failed.
    """
