"""``status``: the jobs of the jobs table, one line each."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import aws_options, function_options, table_option

STATES = ("running", "handed_over", "fanned_out", "parked", "lost", "complete", "failed")


@click.command(
    epilog=examples("status", "status --state parked --state lost", "status --stack reports --json | jq -r .[].job_key")
)
@click.option(
    "--state", "states", type=click.Choice(STATES), multiple=True, help="Only jobs in this state; repeatable."
)
@table_option
@function_options
@aws_options
def status(**_: Any) -> None:
    """
    List the jobs of the jobs table, the latest first.

    A job is `lost` when its hop has died: the job is under way, and its lease has ended. A job is `fanned_out` while
    several chains work on its ranges; the job is one line, with the keys of all of them.
    """
