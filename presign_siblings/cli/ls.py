"""``ls``: what a job would take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NoReturn

from rich.progress import Progress, SpinnerColumn, TextColumn

from presign_siblings.cli.console import Terminal, printable
from presign_siblings.cli.job_options import asked
from presign_siblings.errors import DONE, UNTRUE
from presign_siblings.laptop.inquiry import taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.laptop.inquiry import Taken

FOLDERS = 20  # that are shown
_UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")


def ls(terminal: Terminal, source: str, first: int, **options: Any) -> NoReturn:
    """List what a job with the same options would take: how many keys, their bytes, the folders, the first keys."""
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} keys"))
    with Progress(*columns, console=terminal.notes, disable=not terminal.notes.is_terminal, transient=True) as bar:
        task = bar.add_task("ls", total=None)
        found = asyncio.run(
            taken(terminal.client("s3"), asked(source, options), first, lambda count: bar.update(task, completed=count))
        )
    if terminal.json:
        terminal.result(_facts(found))
    else:
        for line in _lines(source, found):
            terminal.say(line)
    raise SystemExit(DONE if found.count else UNTRUE)


def _facts(found: Taken) -> dict[str, Any]:
    return {
        "count": found.count,
        "bytes": found.size,
        "archived": found.archived,
        "errors": found.unsignable,
        "skipped": found.skipped,
        "first": [{"key": key, "size": size} for key, size in found.first],
        "folders": [
            {"folder": folder, "count": count, "bytes": size} for folder, (count, size) in sorted(found.folders.items())
        ],
    }


def _lines(source: str, found: Taken) -> Iterator[str]:
    yield f"{source}: {found.count:,} keys, {amount(found.size)}"
    yield from (f"left out, {reason}: {number:,}" for reason, number in sorted(found.skipped.items()))
    if found.archived:
        yield f"archived: {found.archived:,}; their links answer 403 until they are restored"
    if found.unsignable:
        yield f"cannot be signed: {found.unsignable:,}"
    if set(found.folders) - {""}:
        largest = sorted(found.folders.items(), key=lambda folder: (-folder[1][0], folder[0]))
        yield ""
        for name, (count, size) in largest[:FOLDERS]:
            yield f"{count:>12,} keys  {amount(size):>12}  {printable(name) or '(in no folder)'}"
        if len(largest) > FOLDERS:
            yield f"and {len(largest) - FOLDERS:,} folders more; --json has all"
    if found.first:
        yield ""
        yield from (f"{amount(size):>12}  {printable(key)}" for key, size in found.first)
        if found.count > len(found.first):
            yield f"and {found.count - len(found.first):,} more"


def amount(size: int) -> str:
    """Return a number of bytes for a reader, in powers of 1,000."""
    number, unit = float(size), 0
    while number >= 999.95 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - what would be written as 1000.0
        number, unit = number / 1000, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{size} bytes"
