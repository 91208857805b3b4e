"""``run``: the pipeline on this machine, without Lambda."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from presign_siblings import connections
from presign_siblings.cli.console import Terminal, printable
from presign_siblings.cli.export import written_to
from presign_siblings.cli.interrupt import StopRequest
from presign_siblings.cli.job_options import asked, signing
from presign_siblings.cli.ls import ls
from presign_siblings.cli.usage.ls import FIRST
from presign_siblings.errors import DONE, UNFINISHED, UNTRUE, WrongUseError, naming
from presign_siblings.laptop.lambda_stand_ins import STOPPED as BY_A_PERSON
from presign_siblings.laptop.request import requested
from presign_siblings.laptop.target import NAME, STDOUT
from presign_siblings.manifests.joined import joined
from presign_siblings.words import span
from processor.instant import ISO
from processor.job import S3
from processor.page import SESSION_HOURS, page

if TYPE_CHECKING:
    from presign_siblings.laptop.lambda_stand_ins import Progress as ProgressTelemetry
    from processor.chain import Response
    from processor.job import SiblingPayload

STREAMS = (STDOUT, "/dev/stdout", "/dev/fd/1")


@dataclass(slots=True)
class Screen:
    """Shows progress on a terminal, and prints nothing elsewhere."""

    terminal: Terminal
    bar: Progress = field(init=False)
    count: int = 0
    unsigned: int = 0

    def __post_init__(self) -> None:
        """Create the display."""
        columns = (SpinnerColumn(), TextColumn("{task.completed:,} keys"), TextColumn("{task.fields[rate]}"))
        terminal = self.terminal.notes.is_terminal
        self.bar = Progress(*columns, TimeElapsedColumn(), console=self.terminal.notes, disable=not terminal)
        self.bar.add_task("run", total=None, rate="")

    def tell(self, told: ProgressTelemetry) -> None:
        """Show what the run reports."""
        if told.warning is not None:
            self.terminal.note(told.warning)
        elif told.key is not None:
            self.terminal.note(f"not signed: {printable(told.key[0])}: {told.key[1]}")
        else:
            task, self.count = self.bar.tasks[0], told.count
            rate = f"{task.speed:,.0f} keys/s" if task.speed else ""
            self.bar.update(task.id, completed=told.count, rate=rate)


def run(
    terminal: Terminal, source: str, to: str, *, resume: bool, allow_empty: bool, dry_run: bool, **options: Any
) -> None:
    """Write the manifest on this machine, without Lambda: the same hops as the function's, one after the other."""
    if dry_run:
        if options.get("keys_from"):
            raise WrongUseError("--dry-run lists a prefix: what a list of keys holds, it says itself")
        terminal.note(f"nothing is written: the run would take this into {to}")
        ls(terminal, source, FIRST, **options)
    raise SystemExit(exit_code(terminal, source, to, options, resume=resume, allow_empty=allow_empty))


def exit_code(
    terminal: Terminal, source: str, to: str, options: dict[str, Any], *, resume: bool, allow_empty: bool
) -> int:
    """
    Run a job on this machine, say how it ended, and return the exit code.

    :param source:  ``s3://bucket/prefix``.
    :param options: Of the command; ``refresh`` among them is a manifest whose keys are signed again.
    """
    if to not in STREAMS:
        return _code(*_run(terminal, source, to, options, resume=resume), allow_empty=allow_empty)
    if options.get("page"):
        raise WrongUseError("standard output has no page beside it: --page needs a file, or s3://bucket/prefix/")
    if resume:
        raise WrongUseError("standard output keeps no checkpoint: --resume needs a file, or s3://bucket/prefix/")
    return _code(*_run_to_standard_output(terminal, source, options), allow_empty=allow_empty)


def _run_to_standard_output(terminal: Terminal, source: str, options: dict[str, Any]) -> tuple[Response, StopRequest]:
    """Write the manifest to a private folder, and out of it once it is whole: a pipe gets all of it or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        ended, wish = _run(replace(terminal, streams=True), source, str(file), options, resume=False)
        if file.exists():
            with naming("standard output"), file.open("rb") as whole:
                shutil.copyfileobj(whole, sys.stdout.buffer)
    return ended, wish


def _run(
    terminal: Terminal, source: str, to: str, options: dict[str, Any], *, resume: bool
) -> tuple[Response, StopRequest]:
    wish, screen, began = StopRequest(terminal.note), Screen(terminal), time.monotonic()
    running, fields = requested(
        source,
        to,
        asked(source, options) | {"probe": not options["no_probe"]} | _refreshed(options),
        terminal.client("s3"),
        tell=screen.tell,
        stopping=lambda: bool(wish),
        **signing(options),
    )
    running = replace(running, hop_seconds=options["checkpoint_seconds"])
    with ExitStack() as stack:
        stack.enter_context(running.saved.alone())
        stack.enter_context(wish.heard())
        wanted = options.get("processes")
        begin = running.begin(fields, resume=resume, processes=wanted or 1)
        _note_resumed(terminal, begin, wanted, resume=resume)
        if (processes := running.processes(begin, wanted)) is not None:  # before the display, which is a thread
            stack.enter_context(processes)
        stack.enter_context(screen.bar)
        ended = asyncio.run(running.run(begin, processes))
    where = (
        str(running.file)
        if running.file is not None
        else f"s3://{begin.job.manifest_bucket}/{ended.body.get('manifest_key')}"
    )
    if running.file is not None and options.get("page") and ended.body["status"] == "complete":
        terminal.note(f"page for the recipient: {_page_beside(running.file, source)}")
    of_session = begin.job.signer == S3 and connections.is_of_session()
    _report(terminal, ended, where, screen.count, time.monotonic() - began, of_session=of_session)
    return ended, wish


def _note_resumed(terminal: Terminal, begin: SiblingPayload, processes: int | None, *, resume: bool) -> None:
    """Say what a resumed run does other than it was asked to."""
    if resume and begin.hop == 0:
        terminal.note("there is no checkpoint: this is a new run")
    if begin.hop > 0 and begin.job.chains == 1 and (processes or 1) > 1:
        terminal.note("the run began in one process, and continues so")


def _page_beside(file: Path, title: str) -> Path:
    """Write the page of a manifest that is a file, as a job does whose manifest lies in S3; return its place."""
    to = file.with_name(file.name.removesuffix(".gz").removesuffix(".jsonl") + ".html")
    with joined([str(file)], lambda: connections.client("s3")) as (_, entries), written_to(str(to)) as written:
        written.writelines(page(entries, title.removeprefix("s3://")))
    return to


def _refreshed(options: dict[str, Any]) -> dict[str, Any]:
    return {"refresh": options["refresh"]} if "refresh" in options else {}


def _report(terminal: Terminal, ended: Response, where: str, count: int, seconds: float, *, of_session: bool) -> None:
    body = ended.body
    where = "standard output" if terminal.streams else where
    if body["status"] == "complete":
        told = {name: body[name] for name in ("status", "job_id", "count", "errors", "pages", "hops", "expires_at")}
        told |= {name: body[name] for name in ("archived", "skipped", "probe", "page_key", "warning") if name in body}
        told |= {"manifest": where, "seconds": round(seconds, 3), "ends_with_session": of_session}
        told["expires_at"] = _end(body["expires_at"]) if of_session else body["expires_at"]
        text = f"{where}: {body['count']:,} keys in {span(seconds)}; URLs live until {told['expires_at']} at most"
        text += ", and die with the session that signed them" if of_session else ""
    else:
        told = {"status": body["status"], "job_id": body["job_id"], "reason": body["reason"], "count": count}
        more = "nothing was written" if terminal.streams else "the same command with --resume continues"
        text = f"{body['reason']} after {count:,} keys; {more}"
    if terminal.json:
        terminal.result(told)
    else:
        terminal.say(text)
        if body.get("errors"):
            terminal.note(f"{body['errors']:,} keys could not be signed")


def _end(expires_at: str | None) -> str | None:
    """Return the end of URLs that a session has signed: no later than the longest session of AWS lasts."""
    if expires_at is None:
        return None
    latest = datetime.now(UTC) + timedelta(hours=SESSION_HOURS)
    return min(expires_at, latest.strftime(ISO))


def _code(ended: Response, wish: StopRequest, *, allow_empty: bool) -> int:
    """
    Return the exit code of a run.

    :param allow_empty: A manifest without a key is what was expected.
    """
    if ended.body["status"] == "complete":
        refused = ended.body.get("probe", {}).get("refused")
        return UNTRUE if refused or (ended.body["count"] == 0 and not allow_empty) else DONE
    return wish.code if ended.body["reason"] == BY_A_PERSON and wish else UNFINISHED
