"""``stop``: park one job, or every job; and undo that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from presign_siblings.cli.console import Desk, aws_options, function_options
from presign_siblings.cli.program import PROGRAM, examples
from presign_siblings.errors import WrongUseError
from presign_siblings.remote import switches
from presign_siblings.remote.jobs import Jobs
from presign_siblings.remote.switches import Rule

if TYPE_CHECKING:
    from typing import Any

    from presign_siblings.remote.function import Deployed


@click.command(
    epilog=examples(
        "stop 3f2a",
        "stop 3f2a --undo",
        "stop --all",
        "stop --all --now",
        "stop --all --undo --rule default/presign_siblings_schedule --concurrency 5",
    )
)
@click.argument("job", required=False)
@click.option("--all", "everything", is_flag=True, help="Park every job, and disable the rules that start new ones.")
@click.option("--now", is_flag=True, help="With --all: set the reserved concurrency to 0, so that nothing starts.")
@click.option("--undo", is_flag=True, help="Undo a stop.")
@click.option("--rule", "rules", multiple=True, metavar="BUS/RULE", help="With --all --undo: a rule to enable again.")
@click.option(
    "--concurrency",
    metavar="N|none",
    help="With --all --undo: the former reserved concurrency; none removes the reservation.",
)
@function_options
@aws_options
def stop(desk: Desk, job: str | None, stack: str | None, function: str, **options: Any) -> None:
    """
    Park a job at its next page, or every job.

    A hop reads the request within 15 s, saves its checkpoint and parks: nothing is lost, and `resume` continues the
    job. --all also disables the rules and schedules that start the function, and --now also sets its reserved
    concurrency to 0. The command prints how to undo it.
    """
    if (job is None) is not options["everything"]:
        raise WrongUseError("name one JOB, or use --all")
    if not options["everything"] and (options["now"] or options["rules"] or options["concurrency"]):
        raise WrongUseError("--now, --rule and --concurrency need --all")
    if (options["rules"] or options["concurrency"]) and not options["undo"]:
        raise WrongUseError("--rule and --concurrency need --undo")
    deployed = desk.deployed(stack, function)
    jobs = Jobs(desk.client("dynamodb"), deployed.table()) if job is not None or deployed.jobs_table else None
    if job is not None and jobs is not None:
        _one(desk, jobs, job, undo=options["undo"])
    elif options["undo"]:
        _start_all(desk, deployed, jobs, options)
    else:
        _stop_all(desk, deployed, jobs, _named(stack, function), now=options["now"])


def _named(stack: str | None, function: str) -> str:
    return f"--stack {stack}" if stack is not None else f"--function {function}"


def _one(desk: Desk, jobs: Jobs, name: str, *, undo: bool) -> None:
    seen = jobs.set_stop(jobs.find(name).record.job_key, stop=not undo)
    record = seen.record
    if desk.json:
        desk.result({"job_key": record.job_key, "state": record.state, "stop": record.stop})
    elif seen.is_over:
        desk.say(f"job {record.job_id} is {record.state}: it is not under way")
    elif undo:
        desk.say(f"job {record.job_id} continues")
    else:
        desk.say(f"job {record.job_id} parks at its next page; {PROGRAM} resume {record.job_key[:10]} continues it")


def _stop_all(desk: Desk, deployed: Deployed, jobs: Jobs | None, named: str, *, now: bool) -> None:
    events, functions = desk.client("events"), desk.client("lambda")
    before = switches.switches(events, functions, deployed)
    # A chain may park as soon as the rules are off; it counts as stopped by this command.
    under_way = _under_way(jobs, stop=False)
    turned = switches.turn(events, before.rules, on=False)
    if now:
        switches.reserve(functions, deployed, 0)
    _set_all(jobs, stop=True)
    stopped = sorted({*under_way, *_under_way(jobs, stop=True)})
    undo = f"{PROGRAM} stop --all --undo {named}" + "".join(f" --rule {rule.name}" for rule in turned)
    if now and before.concurrency != 0:
        undo += f" --concurrency {'none' if before.concurrency is None else before.concurrency}"
    if desk.json:
        desk.result(
            {
                "rules_disabled": [rule.name for rule in turned],
                "reserved_concurrency": {"before": before.concurrency, "now": 0 if now else before.concurrency},
                "jobs_stopping": stopped,
                "undo": undo,
            }
        )
        return
    for rule in turned:
        desk.say(f"rule {rule.name}: disabled")
    if now:
        desk.say(f"reserved concurrency: {'none' if before.concurrency is None else before.concurrency}, now 0")
    desk.say(f"{len(stopped)} jobs park at their next page{': ' + ', '.join(stopped) if stopped else ''}")
    desk.say(f"undo with: {undo}")


def _start_all(desk: Desk, deployed: Deployed, jobs: Jobs | None, options: dict[str, Any]) -> None:
    events, functions = desk.client("events"), desk.client("lambda")
    rules = [Rule(name, enabled=False) for name in options["rules"]]
    concurrency = _concurrency(options["concurrency"])
    turned = switches.turn(events, rules, on=True)
    if options["concurrency"]:
        switches.reserve(functions, deployed, concurrency)
    going = _set_all(jobs, stop=False)
    if desk.json:
        enabled = [rule.name for rule in turned]
        desk.result({"rules_enabled": enabled, "concurrency": concurrency, "jobs_going_on": going})
        return
    for rule in turned:
        desk.say(f"rule {rule.name}: enabled")
    if options["concurrency"]:
        desk.say(f"reserved concurrency: {options['concurrency']}")
    desk.say(f"{len(going)} jobs that had not parked yet continue; {PROGRAM} resume JOB continues a parked job")


def _concurrency(written: str | None) -> int | None:
    if written is None or written == "none":
        return None
    if not written.isdigit():
        raise WrongUseError("--concurrency takes a number, or none")
    return int(written)


def _set_all(jobs: Jobs | None, *, stop: bool) -> list[str]:
    """Set ``stop`` on every job under way; return the keys of those that changed."""
    if jobs is None:
        return []
    return [key for key in _under_way(jobs, stop=not stop) if jobs.set_stop(key, stop=stop).record.stop is stop]


def _under_way(jobs: Jobs | None, *, stop: bool) -> list[str]:
    """Return the keys of the jobs under way that are, or are not, asked to stop."""
    found = () if jobs is None else jobs.all()
    return [seen.record.job_key for seen in found if not seen.is_over and seen.record.stop is stop]
