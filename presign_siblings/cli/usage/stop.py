"""``stop``: park one job, or every job; and undo that."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import aws_options, function_options
from presign_siblings.errors import WrongUseError


@click.command(
    epilog=examples(
        "stop 3f2a",
        "stop 3f2a --undo",
        "stop --all",
        "stop --all --now",
        "stop --all --undo",
        "stop --all --undo --rule default/presign_siblings_schedule --concurrency 5",
    )
)
@click.argument("job", required=False)
@click.option("--all", "everything", is_flag=True, help="Park every job, and disable the rules that start new ones.")
@click.option("--now", is_flag=True, help="With --all: set the reserved concurrency to 0, so that nothing starts.")
@click.option("--undo", is_flag=True, help="Undo a stop.")
@click.option("--dry-run", is_flag=True, help="Only say what would be changed.")
@click.option("--rule", "rules", multiple=True, metavar="BUS/RULE", help="With --all --undo: a rule to enable too.")
@click.option(
    "--mapping", "mappings", multiple=True, metavar="UUID", help="With --all --undo: a queue's mapping to enable."
)
@click.option(
    "--concurrency",
    metavar="N|none",
    help="With --all --undo: a reserved concurrency to set; none removes the reservation.",
)
@function_options
@aws_options
def stop(job: str | None, **options: Any) -> None:
    """
    Park a job at its next page, or every job.

    A hop reads the request within 15 s, saves its checkpoint and parks: nothing is lost, and `resume` continues the
    job. --all also disables the rules, schedules and queues that start the function, and --now also sets its reserved
    concurrency to 0: Lambda then puts each event that arrives into the on-failure queue, without a try. The jobs
    table keeps what was changed: --all --undo restores it from any machine. Without such a record, --undo shows the
    present state and changes nothing. Where there is no table, --all shows the command that undoes it, with every
    option.
    """
    if (job is None) is not options["everything"]:
        raise WrongUseError("name one JOB, or use --all")
    named = options["rules"] or options["mappings"] or options["concurrency"]
    if not options["everything"] and (options["now"] or named):
        raise WrongUseError("--now, --rule, --mapping and --concurrency need --all")
    if named and not options["undo"]:
        raise WrongUseError("--rule, --mapping and --concurrency need --undo")
    if options["now"] and options["undo"]:
        raise WrongUseError("--undo also restores what --now changed: leave --now out")
