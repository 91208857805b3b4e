"""``status``: the jobs of the jobs table, one line each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from presign_siblings.cli.program import printable
from presign_siblings.remote.job_snapshot import LOST
from presign_siblings.remote.slowest import in_words, slowest, to_dict
from presign_siblings.words import span
from processor.ledger import COMPLETE, FAILED, FANNED_OUT, HANDED_OVER, PARKED, RUNNING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from presign_siblings.cli.console import Terminal
    from presign_siblings.remote.job_snapshot import JobSnapshot

COLOURS = dict.fromkeys((RUNNING, HANDED_OVER, FANNED_OUT), "cyan")
COLOURS |= {PARKED: "yellow", LOST: "red", COMPLETE: "green", FAILED: "red"}
SHOWN_KEY = 10
SHOWN_UNREAD = 5
ROOMY = 90  # columns; on a narrower terminal the place and the note matter more than the times
NARROW = 70  # columns; on a narrower terminal a table would cut the state, which matters most


def status(terminal: Terminal, states: tuple[str, ...], table: str | None, stack: str | None, function: str) -> None:
    """List the jobs of the jobs table, the latest first."""
    now = datetime.now(UTC)
    jobs = terminal.jobs(table, stack, function)
    every, ranges = jobs.latest()
    found = [snapshot for snapshot in every if not states or snapshot.state(now) in states]
    _note_unread(terminal, [*jobs.unread.values()])
    slow = {snapshot.record.job_key: slowest(ranges, snapshot) for snapshot in found}
    if terminal.json:
        rows = [(snapshot.to_dict(now), to_dict(slow[snapshot.record.job_key], now)) for snapshot in found]
        terminal.result([{**job, "slowest_range": of_range} for job, of_range in rows])
        return
    if not found:
        terminal.note("no jobs")
        return
    has_times = terminal.out.width >= ROOMY
    cells = [_cells(snapshot, now, slow[snapshot.record.job_key], has_times=has_times) for snapshot in found]
    if terminal.out.width < NARROW:
        for each in cells:
            terminal.out.print(_line(each), soft_wrap=True)
        return
    lines = _table(terminal.out, has_times=has_times)
    for each in cells:
        lines.add_row(*each)
    terminal.out.print(lines)


def _note_unread(terminal: Terminal, unread: list[str]) -> None:
    for reason in unread[:SHOWN_UNREAD]:
        terminal.note(f"note: {reason}")
    if len(unread) > SHOWN_UNREAD:
        terminal.note(f"note: {len(unread) - SHOWN_UNREAD:,} more cannot be read either")


def _table(out: Console, *, has_times: bool) -> Table:
    from rich import box  # noqa: PLC0415 - the jobs table is read first
    from rich.table import Table  # noqa: PLC0415 - as above

    lines = Table(box=box.SIMPLE_HEAD if out.is_terminal else None, pad_edge=False)
    for title in ("JOB", "STATE", "SOURCE"):
        lines.add_column(title, overflow="fold", no_wrap=title != "SOURCE")
    for title in ("HOP", "KEYS", *(("TOOK", "AGO") if has_times else ())):
        lines.add_column(title, justify="right", no_wrap=True)
    lines.add_column("NOTE", overflow="fold")
    return lines


def _line(cells: tuple[str | Text, ...]) -> Text:
    """Return a job on a line of any length."""
    from rich.text import Text  # noqa: PLC0415 - as above

    job, state, source, hop, keys, note = cells
    facts = (job, " ", state, ": ", source, ", hop ", hop, ", keys ", keys)
    return Text.assemble(*facts, *(("; ", note) if note else ()))


def _cells(
    snapshot: JobSnapshot, now: datetime, slow: JobSnapshot | None, *, has_times: bool
) -> tuple[str | Text, ...]:
    from rich.text import Text  # noqa: PLC0415 - the jobs table is asked before

    record, state = snapshot.record, snapshot.state(now)
    ago = span(max(0.0, (now - snapshot.written).total_seconds()))
    notes = "; ".join(filter(None, (note(snapshot, now), in_words(slow, now))))
    return (
        record.job_key[:SHOWN_KEY],
        Text(state, COLOURS[state]),
        Text(printable(f"s3://{record.place.job.bucket}/{record.place.job.prefix}")),
        str(record.place.hop),
        f"{record.count:,}",
        *((span(snapshot.seconds), ago) if has_times else ()),
        Text(printable(notes)),
    )


def note(snapshot: JobSnapshot, now: datetime) -> str:
    """Return a note for the operator beside the numbers."""
    record = snapshot.record
    if record.reason:
        is_kind = record.reason.endswith("Error")  # what went wrong, only the log says
        return f"{record.reason}: the job's failed line in the log says why" if is_kind else record.reason
    if record.stop and not snapshot.is_over:
        return "stopping"
    if record.state == FANNED_OUT:
        return f"{record.ranges_done} of {record.ranges} ranges done"
    if record.expires_at is not None and record.state == COMPLETE:
        left = (record.expires_at - now).total_seconds()
        return f"URLs live {span(left)} more" if left > 0 else "URLs are dead"
    return ""
