"""``stop``: park one job, or every job; and undo that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presign_siblings.cli.program import PROGRAM
from presign_siblings.cli.stop_all import Everything
from presign_siblings.cli.stop_words import lines
from presign_siblings.errors import DONE, FAILED
from presign_siblings.remote.jobs import Jobs

if TYPE_CHECKING:
    from typing import Any

    from presign_siblings.cli.console import Terminal


def stop(terminal: Terminal, job: str | None, stack: str | None, function: str, **options: Any) -> None:
    """Park a job at its next page, or every job."""
    deployed = terminal.deployed(stack, function)
    if job is not None:
        _one(terminal, Jobs(terminal.client("dynamodb"), deployed.table()), job, options)
        return
    every = Everything(terminal, deployed, dry=options["dry_run"])
    if options["undo"]:
        changes = every.undone(options["rules"], options["mappings"], options["concurrency"])
    else:
        changes = every.stopped(_named(stack, function), now=options["now"])
    if terminal.json:
        terminal.result(changes | {"dry_run": True} if options["dry_run"] else changes)
    else:
        if options["dry_run"]:
            terminal.say("nothing is changed; without --dry-run it would be:")
        for line in lines(every, changes):
            terminal.say(line)
    raise SystemExit(FAILED if every.refused else DONE)


def _named(stack: str | None, function: str) -> str:
    return f"--stack {stack}" if stack is not None else f"--function {function}"


def _one(terminal: Terminal, jobs: Jobs, name: str, options: dict[str, Any]) -> None:
    undo, dry = options["undo"], options["dry_run"]
    seen = jobs.find(name)
    if not dry:
        seen = jobs.set_stop(seen.record.job_key, stop=not undo)
    record = seen.record
    if terminal.json:
        result = {"job_key": record.job_key, "state": record.state, "stop": record.stop}
        terminal.result(result | {"dry_run": True} if dry else result)
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
