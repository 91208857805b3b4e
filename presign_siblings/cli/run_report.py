"""The report of a run on this machine: its progress, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from presign_siblings.cli.program import printable
from presign_siblings.words import span
from processor.chain import Status
from processor.instant import ISO, has_passed
from processor.page import SESSION_HOURS
from processor.plural import plural

if TYPE_CHECKING:
    from rich.progress import Progress

    from presign_siblings.cli.console import Terminal
    from presign_siblings.laptop.progress import Progress as RunProgress
    from processor.chain import Response

CONTINUES = "the same command with --resume continues"


@dataclass(slots=True)
class Screen:
    """
    Shows progress on a terminal, from the first page on, and prints nothing elsewhere.

    :param passes: Whether the display vanishes at the end.
    """

    terminal: Terminal
    passes: bool = False
    count: int = 0
    _bar: Progress | None = None

    def __enter__(self) -> Self:
        """Return the display, which waits for the first page."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen."""
        if self._bar is not None:
            self._bar.stop()

    def report(self, progress: RunProgress) -> None:
        """Show what the run reports."""
        if progress.warning is not None:
            self.terminal.note(progress.warning)
        elif progress.key is not None:
            self.terminal.note(f"not signed: {printable(progress.key[0])}: {progress.key[1]}")
        else:
            self.count = progress.count
            if self.terminal.is_watched:
                self._show()

    def _show(self) -> None:
        if self._bar is None:
            self._bar = _bar(self.terminal, passes=self.passes)
            self._bar.start()
        task = self._bar.tasks[0]
        rate = f"{task.speed:,.0f} keys/s" if task.speed else ""
        self._bar.update(task.id, completed=self.count, count=plural(self.count, "key"), rate=rate)


def _bar(terminal: Terminal, *, passes: bool) -> Progress:
    from rich import progress  # noqa: PLC0415 - 0.05 s that the first request need not wait for

    columns = [progress.SpinnerColumn(), progress.TextColumn("{task.fields[count]}")]
    columns += [progress.TextColumn("{task.fields[rate]}"), progress.TimeElapsedColumn()]
    shown = progress.Progress(*columns, console=terminal.notes, transient=passes)
    shown.add_task("run", total=None, count="", rate="")
    return shown


def report(  # noqa: PLR0913 - a parameter for each fact
    terminal: Terminal,
    ended: Response,
    where: str,
    count: int,
    seconds: float,
    *,
    of_session: bool,
    continues: bool,
) -> None:
    """
    Report how a run ended.

    :param where:      The manifest's place.
    :param count:      Keys so far, of a run that is not complete.
    :param of_session: Whether its URLs die with a session.
    :param continues:  Whether ``--resume`` continues a run that is not complete.
    """
    body = ended.body
    if ended.status is Status.COMPLETE:
        place = "standard output" if terminal.streams else where
        result, text = _complete(body, place, seconds, of_session=of_session)
    else:
        result = {"status": body["status"], "job_id": body["job_id"], "reason": body["reason"], "count": count}
        more = CONTINUES if continues else "nothing was written"
        text = f"{body['reason']} after {plural(count, 'key')}; {more}"
    if terminal.json:
        terminal.result(result)
    else:
        terminal.say(text)
        if body.get("errors"):
            terminal.note(f"{plural(body['errors'], 'key')} could not be signed")


def _complete(body: dict[str, Any], place: str, seconds: float, *, of_session: bool) -> tuple[dict[str, Any], str]:
    """Return the result of a complete run, for a script and for a reader."""
    result = {name: body[name] for name in ("status", "job_id", "count", "errors", "pages", "hops", "expires_at")}
    result |= {name: body[name] for name in ("archived", "skipped", "probe", "page_key", "warning") if name in body}
    result |= {"manifest": place, "seconds": round(seconds, 3), "ends_with_session": of_session}
    result["expires_at"] = _end(body["expires_at"]) if of_session else body["expires_at"]
    text = f"{place}: {plural(body['count'], 'key')} in {span(seconds)}"
    if body["count"] and (ends := result["expires_at"]):
        text += f"; URLs {'lived' if has_passed(ends, datetime.now(UTC)) else 'live'} until {ends} at most"
        text += ", and die with the session that signed them" if of_session else ""
    return result, text


def _end(expires_at: str | None) -> str | None:
    """Return the end of URLs that a session has signed: no later than AWS's longest session ends."""
    if expires_at is None:
        return None
    latest = datetime.now(UTC) + timedelta(hours=SESSION_HOURS)
    return min(expires_at, latest.strftime(ISO))
