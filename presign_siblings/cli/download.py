"""``download``: a manifest's objects into a folder."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presign_siblings.cli.console import Terminal, printable
from presign_siblings.cli.verify import reading
from presign_siblings.errors import DONE, UNTRUE
from presign_siblings.manifests import reader
from presign_siblings.manifests.download import Download
from presign_siblings.manifests.download_plan import Plan, plan
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.location import place
from presign_siblings.manifests.refusals import Streak
from presign_siblings.manifests.safe_folder import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.manifests.download import Downloaded


def download(
    terminal: Terminal, manifest_place: str, folder: Path, parallel: int, *, keep_going: bool, dry_run: bool
) -> None:
    """Download every object of a manifest into DIR; the key becomes the path."""
    if dry_run:
        _tell_plan(terminal, folder, _plan(terminal, manifest_place, folder))
        return
    done = asyncio.run(_download(terminal, manifest_place, folder, parallel, Streak(patient=keep_going)))
    if terminal.json:
        terminal.result(_facts(done))
    else:
        terminal.say(f"{folder}: {done.fetched:,} fetched ({done.size:,} bytes), {done.kept:,} existed already")
        for key, why in done.failures:
            terminal.note(f"not downloaded: {printable(key)}: {why}")
        for told in _notes(done):
            terminal.note(told)
    raise SystemExit(UNTRUE if done.failed or done.stopped else DONE)


def _plan(terminal: Terminal, named: str, folder: Path) -> Plan:
    with reader.opened(place(named), lambda: terminal.client("s3")) as stream, reading(terminal, stream):
        return plan(reader.entries(stream), folder)


def _tell_plan(terminal: Terminal, folder: Path, found: Plan) -> None:
    if terminal.json:
        terminal.result({"dry_run": True, **asdict(found)})
        return
    unsized = f", and {found.unsized:,} of unknown size" if found.unsized else ""
    terminal.say(
        f"{folder}: {found.missing:,} would be fetched ({found.size:,} bytes{unsized}), {found.present:,} exist"
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
    """Yield what an operator should know besides."""
    if done.changed:
        yield f"{done.changed:,} objects have changed since they were listed: what is stored now was taken"
    if done.etags.note:
        yield done.etags.note
    if done.failed:
        hint = f"; the same command tries {done.passing:,} of them again" if done.passing else ""
        yield f"{done.failed:,} did not come{hint}"
    if done.stopped:
        yield f"stopped: {done.stopped}; the rest was not tried (--keep-going tries all)"


async def _download(terminal: Terminal, named: str, path: Path, parallel: int, streak: Streak) -> Downloaded:
    where = place(named)
    total = await asyncio.to_thread(_total, where) if terminal.notes.is_terminal and isinstance(where, Path) else None
    with (
        reader.opened(where, lambda: terminal.client("s3")) as stream,
        Folder(path) as folder,
        reading(terminal, stream, total) as show,
    ):

        def tell(so_far: Downloaded) -> None:
            text = f"{so_far.fetched + so_far.kept:,} files, {so_far.size / 1e6:,.0f} MB"
            show(text, None if total is None else so_far.passed)

        async with Fetcher(parallel) as fetcher:
            return await Download(folder, fetcher, tell, streak).run(reader.entries(stream), parallel)


def _total(path: Path) -> int | None:
    """Return the bytes that are to come, where the lines of a manifest tell them."""
    with reader.opened(path, lambda: None) as stream:  # type: ignore[arg-type, return-value]
        return reader.total(stream)
