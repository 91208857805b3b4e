"""``invoke`` and ``resume``: start a job on a deployed function, or continue one, and wait on request."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presign_siblings.cli.job_options import asked
from presign_siblings.cli.program import printable
from presign_siblings.cli.usage.invoke import waits
from presign_siblings.errors import DONE, FAILED, UNFINISHED, UNTRUE, USAGE, WrongUseError
from presign_siblings.remote import start
from presign_siblings.remote.jobs import Jobs
from presign_siblings.remote.logs import instant
from presign_siblings.remote.manifest_link import manifest_url, page_url
from processor.events import withheld
from processor.instant import has_passed
from processor.ledger import COMPLETE, FANNED_OUT, PARKED
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.cli.console import Terminal
    from presign_siblings.remote.function import Deployed
    from presign_siblings.remote.logs import Line, Tail
    from presign_siblings.remote.start import Started

CODES = {COMPLETE: DONE, PARKED: UNFINISHED, "invalid": USAGE}
# The fields of a log line that are shown beside its event.
FACTS = ("count", "next_hop", "pages", "errors", "manifest_key", "expires_at")
SHOWN = (*FACTS, "verdict", "state", "reason", "error", "key")


def invoke(
    terminal: Terminal, source: str | None, event: str | None, stack: str | None, function: str, **options: Any
) -> None:
    """Start a job on a deployed function."""
    flags = {name: True for name in ("fresh", "force") if options[name]}
    fields = {**_event(event), **asked(source, options), **flags}
    deployed = terminal.deployed(stack, function)
    if options["dry_run"]:
        _would(terminal, deployed, start.asked_for(deployed, fields, datetime.now(UTC)), fields)
        return
    tail = _listening(terminal, deployed, options)
    started = start.start(terminal.client("lambda"), deployed, fields)
    finish(terminal, deployed, started, tail, options)


def _event(written: str | None) -> dict[str, Any]:
    if written is None:
        return {}
    text = written
    if written == "@-":
        text = sys.stdin.read()
    elif written.startswith("@"):
        text = Path(written[1:]).read_text(encoding="utf-8")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongUseError(f"--event is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise WrongUseError("--event is not a JSON object")
    return event


def resume(terminal: Terminal, jobs: tuple[str, ...], stack: str | None, function: str, **options: Any) -> None:
    """Continue jobs that were parked, or whose hop has died."""
    deployed = terminal.deployed(stack, function)
    table = Jobs(terminal.client("dynamodb"), deployed.table())
    # Every job is checked first: none is started when one is wrong.
    found = [table.find(name) for name in jobs]
    now = datetime.now(UTC)
    payloads = [start.resume_payload(snapshot, now) for snapshot in found]
    for snapshot, payload in zip(found, payloads, strict=True):
        start.refuse_another(deployed, snapshot, payload, now)
    for snapshot, payload in zip(found, payloads, strict=True):
        if options["dry_run"]:
            _would(terminal, deployed, snapshot.record.job_key, payload)
            continue
        if not snapshot.is_over and snapshot.record.stop and snapshot.record.state != FANNED_OUT:
            table.set_stop(snapshot.record.job_key, stop=False)
        tail = _listening(terminal, deployed, options)
        started = start.start(terminal.client("lambda"), deployed, payload, snapshot.record.job_key)
        finish(terminal, deployed, started, tail, options)


def _would(terminal: Terminal, deployed: Deployed, job_key: str | None, event: dict[str, Any]) -> None:
    """Say what would be sent, without the token that a record of the on-failure queue may hold."""
    event, _ = withheld(event)
    if terminal.json:
        terminal.result({"dry_run": True, "function": deployed.named, "job_key": job_key, "event": event})
    else:
        terminal.say(f"{deployed.named} would get job {job_key or '(the function names it)'}: {json.dumps(event)}")


def _listening(terminal: Terminal, deployed: Deployed, options: dict[str, Any]) -> Tail | None:
    """Listen to the function from now on, where the command waits for the end of the job."""
    if not waits(options):
        return None
    tail = start.listen(terminal.client("logs"), deployed)
    if tail.is_missing:
        terminal.note(
            f"note: there is no log group {deployed.log_group}. Unless the function's role may make it, no line shows "
            f"the end of a job, and no metric comes: aws logs create-log-group --log-group-name {deployed.log_group}"
        )
    return tail


def finish(
    terminal: Terminal, deployed: Deployed, started: Started, tail: Tail | None, options: dict[str, Any]
) -> None:
    """Report what was started, and wait on request."""
    if tail is None:
        accepted = {"function": deployed.named, "request_id": started.request_id, "job_key": started.job_key}
        if terminal.json:
            terminal.result(accepted)
        else:
            terminal.say(f"started job {started.job_key or '(the function names it)'} on {deployed.named}")
        return
    last = _followed(terminal, start.follow(tail, started, options["timeout"]), show=options["follow"])
    state, reason = start.outcome(last)
    links = _links(terminal, deployed, last, started, options) if state == COMPLETE else {}
    if terminal.json:
        result = {name: last[name] for name in ("job_id", *SHOWN) if name in last}
        terminal.result({**result, "state": state, **links})
    else:
        facts = "".join(f", {name} {last[name]}" for name in FACTS if name in last)
        text = f"{state}{f' ({reason})' if reason else ''}: job {last.get('job_id') or started.job_key}{facts}"
        (terminal.note if links else terminal.say)(printable(text))  # the links are the only output, for a pipe
        for link in links.values():
            terminal.say(link)
    if "warning" in last:
        terminal.note(str(last["warning"]))
    now = instant(last) or datetime.now(UTC)  # the function's clock
    is_dead = has_passed(last.get("expires_at"), now)
    of_no_use = is_dead if last.get("count") != 0 else not options["allow_empty"]
    raise SystemExit(UNTRUE if state == COMPLETE and of_no_use else CODES.get(state, FAILED))


def _followed(terminal: Terminal, lines: Iterator[Line], *, show: bool) -> Line:
    """Wait for the last line; a terminal shows the progress."""
    last: Line = {}
    with terminal.notes.status("waiting") if terminal.notes.is_terminal else nullcontext() as waiting:
        for line in lines:
            last = line
            if show:
                _show(terminal, line)
            if waiting is not None and "count" in line:
                waiting.update(f"hop {line.get('hop', '?')}, {plural(line['count'], 'key')}")
    return last


def _links(
    terminal: Terminal, deployed: Deployed, last: Line, started: Started, options: dict[str, Any]
) -> dict[str, str]:
    """Return the requested links, each under its name."""
    makers = {"manifest_url": manifest_url} if options["url"] else {}
    makers |= {"page_url": page_url} if options["page_url"] else {}
    if not makers:
        return {}
    jobs, now = Jobs(terminal.client("dynamodb"), deployed.table()), datetime.now(UTC)
    snapshot = jobs.find(str(last.get("job_id") or started.job_key))
    return {name: make(snapshot, now) for name, make in makers.items()}


def _show(terminal: Terminal, line: Line) -> None:
    if terminal.json:
        terminal.result(line)
        return
    facts = ", ".join(f"{name} {printable(str(line[name]))}" for name in SHOWN if name in line)
    terminal.say(
        f"{str(line.get('timestamp', ''))[:19]}  hop {line.get('hop', '?')}  {line['event']}  {facts}".rstrip()
    )
