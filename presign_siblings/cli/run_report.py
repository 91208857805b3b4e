"""What a run on this machine tells: its progress, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from presign_siblings.cli.console import Terminal, printable
from presign_siblings.words import span
from processor.instant import ISO
from processor.page import SESSION_HOURS

if TYPE_CHECKING:
    from presign_siblings.laptop.lambda_stand_ins import Progress as ProgressTelemetry
    from processor.chain import Response


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


def report(terminal: Terminal, ended: Response, where: str, count: int, seconds: float, *, of_session: bool) -> None:
    """
    Say how a run ended.

    :param where:      Place of the manifest.
    :param count:      Keys so far, of a run that is not complete.
    :param of_session: Whether its URLs die with a session.
    """
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
