"""``download``: the objects of manifests into a folder."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from presign_siblings.cli.program import printable
from presign_siblings.cli.reading import opening, reading, refuse_none
from presign_siblings.cli.usage.download import ARGUMENTS
from presign_siblings.errors import DONE, UNTRUE
from presign_siblings.manifests.download import Download
from presign_siblings.manifests.download_processes import Processes, how_many
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.joined import joined
from presign_siblings.manifests.patterns import Patterns
from presign_siblings.manifests.safe_folder import Folder
from presign_siblings.manifests.streak import Streak
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from presign_siblings.cli.console import Terminal
    from presign_siblings.manifests.download_plan import Plan
    from presign_siblings.manifests.downloaded import Downloaded
    from presign_siblings.manifests.entry import Entry
    from presign_siblings.manifests.joined import Survey
    from presign_siblings.manifests.pace import Pace


def download(  # noqa: PLR0913 - an option each
    terminal: Terminal,
    manifests: tuple[str, ...],
    folder: Path,
    *,
    parallel: int,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    pace: Pace | None,
    ignore_checksum: bool,
    keep_going: bool,
    allow_empty: bool,
    dry_run: bool,
) -> None:
    """Download every object of the manifests into DIR; the key becomes the path."""
    patterns = Patterns.of(click.get_current_context().meta[ARGUMENTS], include, exclude)
    client = partial(terminal.client, "s3")
    with opening(terminal, partial(joined, manifests, client, patterns.take)) as (found, entries):
        if dry_run:
            from presign_siblings.manifests.download_plan import plan  # noqa: PLC0415 - a download needs none

            with reading(terminal, None) as show:
                show(f"comparing {plural(found.count, 'file')}")
                planned = plan(entries, folder, patterns.take)
            refuse_none(found.count, allow_empty=allow_empty, choosing=bool(patterns.rules))
            _report_plan(terminal, folder, planned)
            return
        fetcher, streak = Fetcher(pace, checks=not ignore_checksum, concurrency=parallel), Streak(patient=keep_going)
        number = 1 if pace is not None else how_many(found.count, parallel)  # a limited rate needs no second core
        with Folder(folder) as into, fetcher:
            work = Download(into, fetcher, streak=streak, take=patterns.take)
            done = _fetched(terminal, work, found, entries, parallel, number)
        refuse_none(found.count, allow_empty=allow_empty, choosing=bool(patterns.rules))
    _report(terminal, folder, done)
    raise SystemExit(UNTRUE if done.failed or done.stopped else DONE)


def _fetched(
    terminal: Terminal, download: Download, found: Survey, entries: Iterator[Entry], parallel: int, number: int
) -> Downloaded:
    """Download in this process, or in copies of it, which must begin before a thread shows the progress."""
    if number == 1:
        with _showing(terminal, found) as show:
            return replace(download, on_progress=show).run(entries, parallel)
    processes = Processes(download, download.named(entries), found.count, parallel, number)
    with _showing(terminal, found) as show:
        return processes.wait(show)


def _report(terminal: Terminal, folder: Path, done: Downloaded) -> None:
    if terminal.json:
        terminal.result(_facts(done))
        return
    terminal.say(f"{folder}: {done.fetched:,} fetched ({plural(done.size, 'byte')}), {done.kept:,} existed already")
    for key, why in done.failures:
        terminal.note(f"not downloaded: {printable(key)}: {why}")
    for note in _notes(done):
        terminal.note(note)


def _report_plan(terminal: Terminal, folder: Path, found: Plan) -> None:
    if terminal.json:
        terminal.result({"dry_run": True, **asdict(found)})
        return
    unsized = f", and {found.unsized:,} of unknown size" if found.unsized else ""
    terminal.say(
        f"{folder}: {found.missing:,} would be fetched ({plural(found.size, 'byte')}{unsized}), {found.present:,} exist"
    )


def _facts(done: Downloaded) -> dict[str, Any]:
    return {
        "fetched": done.fetched,
        "kept": done.kept,
        "bytes": done.size,
        "changed": done.changed,
        "etags_that_are_no_md5": done.etags.other + done.etags.unproven,
        "failed": done.failed,
        "failures": [{"key": key, "why": why} for key, why in done.failures],
        "stopped": done.stopped,
    }


def _notes(done: Downloaded) -> Iterator[str]:
    """Yield what else the operator should know."""
    if done.changed:
        changed = plural(done.changed, "object has", "objects have")
        yield f"{changed} changed since the listing: what is stored now was taken"
    if done.etags.note:
        yield done.etags.note
    if done.failed:
        hint = f"; the same command tries {done.passing:,} of them again" if done.passing else ""
        yield f"{done.failed:,} did not come{hint}"
    if done.stopped:
        yield f"stopped: {done.stopped}; the rest was not tried (--keep-going tries all)"


@contextmanager
def _showing(terminal: Terminal, found: Survey) -> Iterator[Callable[[Downloaded], None]]:
    """Show progress on a terminal: in bytes where every line gives a size, else in files."""
    if not terminal.is_watched:
        yield lambda _: None
        return
    from rich import progress  # noqa: PLC0415 - 0.05 s that a script need not wait for

    counts = progress.DownloadColumn() if found.size else progress.MofNCompleteColumn()
    text, left = progress.TextColumn("{task.description}"), progress.TimeRemainingColumn()
    with progress.Progress(text, progress.BarColumn(), counts, left, console=terminal.notes) as bar:
        task = bar.add_task("downloading", total=found.size or found.count)

        def show(so_far: Downloaded) -> None:
            files = so_far.fetched + so_far.kept
            text = f"{files:,} of {plural(found.count, 'file')}, {(so_far.size + so_far.under_way) / 1e6:,.0f} MB"
            bar.update(task, completed=so_far.passed + so_far.under_way if found.size else files, description=text)

        yield show
