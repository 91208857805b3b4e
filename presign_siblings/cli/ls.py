"""``ls``: what a job would take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from presign_siblings.cli.job_options import asked
from presign_siblings.cli.program import printable
from presign_siblings.cli.run_report import Screen
from presign_siblings.errors import DONE, UNTRUE
from presign_siblings.laptop.inquiry import job_of, taken
from presign_siblings.laptop.progress import Progress
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.cli.console import Terminal
    from presign_siblings.laptop.inquiry import Taken
    from processor.job import DeploymentSettings, Job

FOLDERS = 20  # folders that are shown
_UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")


def ls(terminal: Terminal, source: str, first: int, **options: Any) -> None:
    """List what a job with the same options would take: how many keys, their bytes, the folders, the first keys."""
    job, settings = job_of(terminal.client("s3"), asked(source, options))
    raise SystemExit(DONE if shown(terminal, source, job, settings, first).count else UNTRUE)


def shown(terminal: Terminal, source: str, job: Job, settings: DeploymentSettings, first: int) -> Taken:
    """
    Print what a job takes.

    :param source: The origin of the keys, for a reader.
    :param first:  How many of the first keys to show.
    """
    with Screen(terminal, passes=True) as screen:
        found = asyncio.run(taken(job, settings, first, lambda count: screen.report(Progress(count))))
    if terminal.json:
        terminal.result(_facts(found))
    else:
        for line in _lines(source, found):
            terminal.say(line)
    return found


def _facts(found: Taken) -> dict[str, Any]:
    return {
        "count": found.count,
        "bytes": found.size,
        "unsized": found.unsized,
        "archived": found.archived,
        "errors": found.unsignable,
        "skipped": found.skipped,
        "first": [{"key": key, "size": size} for key, size in found.first],
        "folders": [
            {"folder": folder, "count": count, "bytes": size} for folder, (count, size) in sorted(found.folders.items())
        ],
    }


def _lines(source: str, found: Taken) -> Iterator[str]:
    yield f"{source}: {plural(found.count, 'key')}{_sizes(found)}"
    yield from (f"left out, {reason}: {number:,}" for reason, number in sorted(found.skipped.items()))
    if found.archived:
        yield f"archived: {found.archived:,}; such a link answers 403 until its object is restored"
    if found.unsignable:
        yield f"cannot be signed: {found.unsignable:,}"
    if set(found.folders) - {""}:
        largest = sorted(found.folders.items(), key=lambda folder: (-folder[1][0], folder[0]))
        yield ""
        for name, (count, size) in largest[:FOLDERS]:
            of_folder = amount(size if size or not found.unsized else None)
            yield f"{plural(count, 'key ', 'keys'):>17}  {of_folder:>12}  {printable(name) or '(in no folder)'}"
        if len(largest) > FOLDERS:
            yield f"and {plural(len(largest) - FOLDERS, 'folder')} more; --json has all"
    if found.first:
        yield ""
        yield from (f"{amount(size):>12}  {printable(key)}" for key, size in found.first)
        if found.count > len(found.first):
            yield f"and {found.count - len(found.first):,} more"


def _sizes(found: Taken) -> str:
    """Return how many bytes the objects have, as far as the source gives sizes."""
    if found.unsized == found.count > 0:
        return " of unknown size"
    unsized = f" and {plural(found.unsized, 'key')} of unknown size" if found.unsized else ""
    return f", {amount(found.size)}{unsized}"


def amount(size: int | None) -> str:
    """Return a number of bytes for a reader, in powers of 1,000; nothing where it is not known."""
    if size is None:
        return ""
    number, unit = float(size), 0
    while number >= 999.95 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - more would be written as 1000.0
        number, unit = number / 1000, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else plural(size, "byte")
