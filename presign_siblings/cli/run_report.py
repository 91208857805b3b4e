"""What a run on this machine tells: its progress, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from presign_siblings.cli.program import printable
from presign_siblings.words import span
from processor.instant import ISO
from processor.page import SESSION_HOURS
from processor.plural import plural

if TYPE_CHECKING:
    from rich.progress import Progress

    from presign_siblings.cli.console import Terminal
    from presign_siblings.laptop.progress import Progress as Told
    from processor.chain import Response

CONTINUES = "the same command with --resume continues"


@dataclass(slots=True)
class Screen:
    """
    Shows progress on a terminal, from the first page on, and prints nothing elsewhere.

    :param passes: Whether nothing is left of it in the end.
    """

    terminal: Terminal
    passes: bool = False
    count: int = 0
    _bar: Progress | None = None

    def __enter__(self) -> Self:
        """Return the display, which waits for the first page."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the last state stand."""
        if self._bar is not None:
            self._bar.stop()

    def tell(self, told: Told) -> None:
        """Show what the run reports."""
        if told.warning is not None:
            self.terminal.note(told.warning)
        elif told.key is not None:
            self.terminal.note(f"not signed: {printable(told.key[0])}: {told.key[1]}")
        else:
            self.count = told.count
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


def report(  # noqa: PLR0913 - what is told, a parameter each
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
    Say how a run ended.

    :param where:      Place of the manifest.
    :param count:      Keys so far, of a run that is not complete.
    :param of_session: Whether its URLs die with a session.
    :param continues:  Whether ``--resume`` continues a run that is not complete.
    """
    body = ended.body
    if body["status"] == "complete":
        place = "standard output" if terminal.streams else where
        told, text = _complete(body, place, seconds, of_session=of_session)
    else:
        told = {"status": body["status"], "job_id": body["job_id"], "reason": body["reason"], "count": count}
        more = CONTINUES if continues else "nothing was written"
        text = f"{body['reason']} after {plural(count, 'key')}; {more}"
    if terminal.json:
        terminal.result(told)
    else:
        terminal.say(text)
        if body.get("errors"):
            terminal.note(f"{plural(body['errors'], 'key')} could not be signed")


def _complete(body: dict[str, Any], place: str, seconds: float, *, of_session: bool) -> tuple[dict[str, Any], str]:
    """Return what a complete run tells a script, and a reader."""
    told = {name: body[name] for name in ("status", "job_id", "count", "errors", "pages", "hops", "expires_at")}
    told |= {name: body[name] for name in ("archived", "skipped", "probe", "page_key", "warning") if name in body}
    told |= {"manifest": place, "seconds": round(seconds, 3), "ends_with_session": of_session}
    told["expires_at"] = _end(body["expires_at"]) if of_session else body["expires_at"]
    text = f"{place}: {plural(body['count'], 'key')} in {span(seconds)}; URLs live until {told['expires_at']} at most"
    return told, text + (", and die with the session that signed them" if of_session else "")


def _end(expires_at: str | None) -> str | None:
    """Return the end of URLs that a session has signed: no later than the longest session of AWS lasts."""
    if expires_at is None:
        return None
    latest = datetime.now(UTC) + timedelta(hours=SESSION_HOURS)
    return min(expires_at, latest.strftime(ISO))
