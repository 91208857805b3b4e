"""``stop``: park one job, or every job; and undo that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from presign_siblings.cli.console import Terminal, aws_options, function_options
from presign_siblings.cli.program import PROGRAM, examples
from presign_siblings.cli.stop_all import Everything
from presign_siblings.errors import WrongUseError
from presign_siblings.remote.jobs import Jobs

if TYPE_CHECKING:
    from typing import Any


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
    "--concurrency",
    metavar="N|none",
    help="With --all --undo: a reserved concurrency to set; none removes the reservation.",
)
@function_options
@aws_options
def stop(terminal: Terminal, job: str | None, stack: str | None, function: str, **options: Any) -> None:
    """
    Park a job at its next page, or every job.

    A hop reads the request within 15 s, saves its checkpoint and parks: nothing is lost, and `resume` continues the
    job. --all also disables the rules, schedules and queues that start the function, and --now also sets its reserved
    concurrency to 0. The jobs table keeps what was changed: --all --undo restores it, whoever calls it, and
    without such a record it shows the present state and changes nothing.
    """
    if (job is None) is not options["everything"]:
        raise WrongUseError("name one JOB, or use --all")
    if not options["everything"] and (options["now"] or options["rules"] or options["concurrency"]):
        raise WrongUseError("--now, --rule and --concurrency need --all")
    if (options["rules"] or options["concurrency"]) and not options["undo"]:
        raise WrongUseError("--rule and --concurrency need --undo")
    if options["now"] and options["undo"]:
        raise WrongUseError("--undo restores what --now changed without being told: leave --now out")
    deployed = terminal.deployed(stack, function)
    if job is not None:
        _one(terminal, Jobs(terminal.client("dynamodb"), deployed.table()), job, options)
        return
    every = Everything(terminal, deployed, dry=options["dry_run"])
    if options["undo"]:
        told = every.undone(options["rules"], options["concurrency"])
    else:
        told = every.stopped(_named(stack, function), now=options["now"])
    if terminal.json:
        terminal.result(told | {"dry_run": True} if options["dry_run"] else told)
    else:
        if options["dry_run"]:
            terminal.say("nothing is changed; without --dry-run it would be:")
        for line in every.lines(told):
            terminal.say(line)


def _named(stack: str | None, function: str) -> str:
    return f"--stack {stack}" if stack is not None else f"--function {function}"


def _one(terminal: Terminal, jobs: Jobs, name: str, options: dict[str, Any]) -> None:
    undo, dry = options["undo"], options["dry_run"]
    seen = jobs.find(name)
    if not dry:
        seen = jobs.set_stop(seen.record.job_key, stop=not undo)
    record = seen.record
    if terminal.json:
        told = {"job_key": record.job_key, "state": record.state, "stop": record.stop}
        terminal.result(told | {"dry_run": True} if dry else told)
    elif seen.is_over:
        terminal.say(f"job {record.job_id} is {record.state}: it is not under way")
    elif dry:
        terminal.say(
            f"job {record.job_id} is {record.state}, and would {'continue' if undo else 'park at its next page'}"
        )
    elif undo:
        terminal.say(f"job {record.job_id} continues")
    else:
        terminal.say(f"job {record.job_id} parks at its next page; {PROGRAM} resume {record.job_key[:10]} continues it")
