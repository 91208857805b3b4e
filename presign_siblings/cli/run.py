"""``run``: the pipeline on this machine, without Lambda."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presign_siblings import connections
from presign_siblings.cli.interrupt import StopRequest
from presign_siblings.cli.job_options import asked, signing
from presign_siblings.cli.ls import shown
from presign_siblings.cli.new_file import refuse_taken, written_to
from presign_siblings.cli.run_report import CONTINUES, Screen, report
from presign_siblings.cli.usage.ls import FIRST
from presign_siblings.defaults import STREAMS
from presign_siblings.errors import DONE, UNFINISHED, UNTRUE, WrongUseError, naming
from presign_siblings.laptop.piped import FILE, copied, piped
from presign_siblings.laptop.progress import STOPPED as BY_OPERATOR
from presign_siblings.laptop.request import requested
from presign_siblings.laptop.target import NAME
from presign_siblings.manifests.joined import joined
from presign_siblings.session import is_of_session
from processor.chain import Status
from processor.instant import has_passed
from processor.job import S3
from processor.page import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.cli.console import Terminal
    from presign_siblings.laptop.local_run import LocalRun
    from processor.chain import Response
    from processor.job import Job, SiblingPayload


def run(terminal: Terminal, source: str, to: str, **options: Any) -> None:
    """Write the manifest on this machine, without Lambda: the same hops as the function's, one after the other."""
    keys = piped(options["keys_from"])
    with nullcontext() if keys is None else copied(keys) as copy:
        options["keys_from"] = options["keys_from"] if copy is None else f"{FILE}{copy}"
        raise SystemExit(exit_code(terminal, source, to, options, source, keeps=copy is None))


def exit_code(
    terminal: Terminal, source: str, to: str, options: dict[str, Any], named: str, *, keeps: bool = True
) -> int:
    """
    Run a job on this machine, say how it ended, and return the exit code.

    :param source:  ``s3://bucket/prefix``.
    :param options: The command's options; ``refresh`` among them is a manifest whose keys are signed again.
    :param named:   The origin of the keys, for a reader.
    :param keeps:   Whether the origin of the keys can be read again.
    """
    resume, allow_empty = options["resume"], options["allow_empty"]
    for name in ("page_title", "page_contact"):
        if options.get(name) and not options.get("page"):
            raise WrongUseError(f"--{name.replace('_', '-')} needs --page")
    if to in STREAMS and options.get("page"):
        raise WrongUseError("standard output has no page beside it: --page needs a file, or s3://bucket/prefix/")
    if to in STREAMS and resume:
        raise WrongUseError("standard output keeps no checkpoint: --resume needs a file, or s3://bucket/prefix/")
    if resume and not keeps:
        raise WrongUseError("a pipe cannot be read again: --resume needs a file, or s3://bucket/key")
    if options["dry_run"]:
        return _would(terminal, source, to, options, named)
    if to in STREAMS:
        return _code(*_run_to_standard_output(terminal, source, options), allow_empty=allow_empty)
    return _code(*_run(terminal, source, to, options, resume=resume, keeps=keeps), allow_empty=allow_empty)


def _would(terminal: Terminal, source: str, to: str, options: dict[str, Any], named: str) -> int:
    """Report what a run would take, or refuse what the run would refuse; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / NAME) if to in STREAMS else to
        running, fields = _requested(terminal, source, file, options)
        begin = running.place(fields, resume=options["resume"], processes=options.get("processes") or 1)
    _note_resumed(terminal, begin, options.get("processes"), resume=options["resume"])
    where = "standard output" if to in STREAMS else to
    continued = ", and continue the one that was stopped there" if begin.resume else ""
    terminal.note(f"nothing is written: the run would take this into {where}{continued}")
    found = shown(terminal, named, begin.job, running.deployment, FIRST)
    return DONE if found.count or options["allow_empty"] else UNTRUE


def _run_to_standard_output(terminal: Terminal, source: str, options: dict[str, Any]) -> tuple[Response, StopRequest]:
    """Write the manifest to a private folder, then to standard output: a pipe gets a whole manifest or nothing."""
    with ExitStack() as stack:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / NAME
            ended, stop_request = _run(replace(terminal, streams=True), source, str(file), options, keeps=False)
            whole = stack.enter_context(file.open("rb")) if file.exists() else None
        if whole is not None:  # its name is removed, so however writing ends, no link stays on disk
            with naming("standard output"):
                shutil.copyfileobj(whole, sys.stdout.buffer)
    return ended, stop_request


def _run(
    terminal: Terminal, source: str, to: str, options: dict[str, Any], *, resume: bool = False, keeps: bool
) -> tuple[Response, StopRequest]:
    stop_request, screen, began = StopRequest(terminal.note), Screen(terminal), time.monotonic()
    running, fields = _requested(terminal, source, to, options)
    seconds, wanted = options["checkpoint_seconds"], options.get("processes")
    running = replace(
        running, on_progress=screen.report, stopping=lambda: bool(stop_request), hop_seconds=seconds, keeps=keeps
    )
    with ExitStack() as stack:
        stack.enter_context(running.saved.alone())
        stack.enter_context(stop_request.handling_signals())
        begin = running.begin(fields, resume=resume, processes=wanted or 1)
        _note_resumed(terminal, begin, wanted, resume=resume)
        if (processes := running.processes(begin, wanted)) is not None:  # before the display, which starts a thread
            stack.enter_context(processes)
        stack.enter_context(_continued(terminal, running))
        stack.enter_context(screen)
        ended = asyncio.run(running.run(begin, processes))
    in_s3 = f"s3://{begin.job.manifest_bucket}/{ended.body.get('manifest_key')}"
    where = in_s3 if running.file is None else str(running.file)
    if running.file is not None and options.get("page") and ended.status is Status.COMPLETE:
        terminal.note(f"page for the recipient: {_page_beside(running.file, begin.job)}")
    of_session = begin.job.signer == S3 and is_of_session()
    took = time.monotonic() - began
    report(terminal, ended, where, screen.count, took, of_session=of_session, continues=keeps)
    return ended, stop_request


@contextmanager
def _continued(terminal: Terminal, running: LocalRun) -> Iterator[None]:
    """Note that a run which fails can continue, before the error itself is reported."""
    try:
        yield
    except Exception:
        if running.keeps and running.saved.path.exists():
            terminal.note(CONTINUES)
        raise


def _requested(terminal: Terminal, source: str, to: str, options: dict[str, Any]) -> tuple[LocalRun, dict[str, Any]]:
    """Return the run that the options ask for, without a display yet, and its event; refuse an existing page."""
    fields = asked(source, options) | {"probe": not options["no_probe"]}
    if "refresh" in options:
        fields["refresh"] = options["refresh"]
    running, event = requested(
        source,
        to,
        fields,
        terminal.client("s3"),
        on_progress=lambda _: None,
        stopping=lambda: False,
        **signing(options),
    )
    if options.get("page") and running.file is not None:
        refuse_taken(str(_page_of(running.file)))
    return running, event


def _note_resumed(terminal: Terminal, begin: SiblingPayload, processes: int | None, *, resume: bool) -> None:
    """Note where a resumed run differs from its options."""
    if resume and begin.hop == 0:
        terminal.note("there is no checkpoint: this is a new run")
    if begin.hop > 0 and begin.job.chains == 1 and (processes or 1) > 1:
        terminal.note("the run began in one process, and continues in one")


def _page_of(file: Path) -> Path:
    return file.with_name(file.name.removesuffix(".gz").removesuffix(".jsonl") + ".html")


def _page_beside(file: Path, job: Job) -> Path:
    """Write the page beside a manifest's file, as a job does beside a manifest in S3; return its path."""
    to = _page_of(file)
    with joined([str(file)], lambda: connections.client("s3")) as (_, entries), written_to(str(to)) as written:
        written.writelines(page(entries, job.page_title or f"{job.bucket}/{job.prefix}", job.page_contact))
    return to


def _code(ended: Response, stop_request: StopRequest, *, allow_empty: bool) -> int:
    """
    Return the exit code of a run.

    :param allow_empty: Whether a manifest without a key is expected.
    """
    if ended.status is Status.COMPLETE:
        are_dead = has_passed(ended.body["expires_at"], datetime.now(UTC))
        of_no_use = are_dead or ended.body.get("probe", {}).get("refused")
        return UNTRUE if of_no_use or (ended.body["count"] == 0 and not allow_empty) else DONE
    return stop_request.code if ended.body["reason"] == BY_OPERATOR and stop_request else UNFINISHED
