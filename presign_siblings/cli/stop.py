"""``stop``: park one job, or every job; and undo that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presign_siblings.cli.program import PROGRAM
from presign_siblings.cli.stop_all import stop_all
from presign_siblings.cli.stop_changes import Changes
from presign_siblings.cli.stop_words import lines
from presign_siblings.cli.undo_stop_all import undo_stop_all
from presign_siblings.errors import DONE, FAILED
from presign_siblings.remote.jobs import Jobs
from presign_siblings.remote.stopped import Stopped

if TYPE_CHECKING:
    from typing import Any

    from presign_siblings.cli.console import Terminal


def stop(terminal: Terminal, job: str | None, stack: str | None, function: str, **options: Any) -> None:
    """Park a job at its next page, or every job."""
    deployed = terminal.deployed(stack, function)
    if job is not None:
        _one(terminal, Jobs(terminal.client("dynamodb"), deployed.table()), job, options)
        return
    changes, dry = Changes(terminal, deployed), options["dry_run"]
    if options["undo"]:
        named = Stopped(frozenset(options["rules"]), frozenset(options["mappings"]), concurrency=options["concurrency"])
        result = undo_stop_all(changes, named, dry=dry)
    else:
        result = stop_all(changes, _named(stack, function), now=options["now"], dry=dry)
    if terminal.json:
        terminal.result(result | {"dry_run": True} if dry else result)
    else:
        if dry:
            terminal.say("nothing is changed; without --dry-run it would be:")
        for line in lines(changes, result):
            terminal.say(line)
    raise SystemExit(FAILED if changes.refused else DONE)


def _named(stack: str | None, function: str) -> str:
    return f"--stack {stack}" if stack is not None else f"--function {function}"


def _one(terminal: Terminal, jobs: Jobs, name: str, options: dict[str, Any]) -> None:
    undo, dry = options["undo"], options["dry_run"]
    snapshot = jobs.find(name)
    if not dry:
        snapshot = jobs.set_stop(snapshot.record.job_key, stop=not undo)
    record = snapshot.record
    if terminal.json:
        result = {"job_key": record.job_key, "state": record.state, "stop": record.stop}
        terminal.result(result | {"dry_run": True} if dry else result)
    elif snapshot.is_over:
        terminal.say(f"job {record.job_id} is {record.state}: it is not under way")
    elif dry:
        terminal.say(
            f"job {record.job_id} is {record.state}, and would {'continue' if undo else 'park at its next page'}"
        )
    elif undo:
        terminal.say(f"job {record.job_id} continues")
    else:
        terminal.say(f"job {record.job_id} parks at its next page; {PROGRAM} resume {record.job_key[:10]} continues it")
