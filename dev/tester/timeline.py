"""
The timeline of a chain: its hops with hand-overs, kills, parks and retries, and its keys over time.

The module does no I/O: it is given records and log lines with their times. The emulator delivers a hop's log only at
the hop's end, and never that of a killed hop; until then, samples of the ledger show the hop.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dev.tester.log_reader import LOG
from processor.ledger import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dev.tester.log_reader import Line
    from processor.ledger import Record

ENDS = {"handover": "handed over", "parked": "parked", "complete": "complete", "failed": "failed"}  # by event
KILLED, WAITED, NOTHING = "killed", "retry", "ended"
COUNTED = frozenset({"page", "checkpoint", "complete", "parked", "handover"})
CLOSE_SECONDS = 2.0  # a sample of the ledger and a log line this close are of the same hop
MAX_POINTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """
    One invocation.

    :param began:   Seconds since the epoch.
    :param ended:   Seconds since the epoch; ``None`` while it runs.
    :param outcome: One word or two for the reader.
    :param count:   Keys in the manifest so far, at its end.
    :param reason:  Why it was parked, failed or tried again.
    :param range:   Number of its range, where several chains share the job.
    """

    hop: int
    began: float
    ended: float | None
    outcome: str
    request: str = ""
    count: int | None = None
    reason: str = ""
    range: int | None = None


@dataclass(slots=True)
class _Spell:
    """A holder of the lease, as samples of the ledger showed it."""

    hop: int
    began: float
    killed: float | None = None
    range: int | None = None


@dataclass(slots=True)
class Timeline:
    """
    One chain, from its start.

    One thread writes and another reads: a reader copies a collection before it iterates.

    :param began: Seconds since the epoch.
    """

    job_key: str
    began: float
    _spells: dict[str, _Spell] = field(default_factory=dict)
    _lines: dict[str, list[Line]] = field(default_factory=dict)
    _counts: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])

    def observe(self, record: Record, at: float) -> None:
        """Note the job's record, or a range's; only the job's record counts the job's keys."""
        share = record.place.share
        if record.state == RUNNING:
            part = None if share is None else share.number
            self._spells.setdefault(record.holder, _Spell(record.place.hop, at, range=part))
        if share is None and record.count > self._counts[-1][1]:
            self._counts.append((round(at - self.began, 3), record.count))

    def kill(self, holder: str, at: float) -> None:
        """Note a kill: the holder had its lease."""
        self._spells[holder].killed = at

    def read(self, lines: Iterable[Line]) -> None:
        """Note the function's log lines about this job."""
        for line in lines:
            own = str(line.body.get("job_id", "")).startswith(f"{self.job_key[:16]}-")
            if line.kind == LOG and line.at is not None and own:
                self._lines.setdefault(line.request, []).append(line)

    def attempts(self) -> list[Attempt]:
        """Return every known invocation, in the order of their starts."""
        logged = [attempt for attempt in map(_logged, tuple(self._lines.values())) if attempt is not None]
        for spell in tuple(self._spells.values()):
            own = next((each for each in logged if _is_of(each, spell)), None)
            if spell.killed is not None:
                logged = [each for each in logged if each is not own or each.outcome != NOTHING]
                logged.append(
                    Attempt(hop=spell.hop, began=spell.began, ended=spell.killed, outcome=KILLED, range=spell.range)
                )
            elif own is None:
                logged.append(Attempt(hop=spell.hop, began=spell.began, ended=None, outcome=RUNNING, range=spell.range))
        return sorted(logged, key=lambda attempt: attempt.began)

    def points(self) -> list[tuple[float, int]]:
        """Return seconds since the beginning and keys so far; no more points than a chart can show."""
        counted = [
            (round(line.at - self.began, 3), int(line.body["count"]))
            for lines in tuple(self._lines.values())
            for line in lines
            if line.at is not None
            and line.body.get("event") in COUNTED
            and "count" in line.body
            and "range" not in line.body  # such a line counts the keys of its range
        ]
        return thinned(sorted([*self._counts, *counted]))

    def count(self) -> int:
        """Return the keys so far."""
        return max(count for _, count in self.points())

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the attempts as JSON values, with times since the beginning."""
        return [
            asdict(
                replace(
                    each,
                    began=round(each.began - self.began, 3),
                    ended=None if each.ended is None else round(each.ended - self.began, 3),
                )
            )
            for each in self.attempts()
        ]


def thinned(points: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Return at most ``MAX_POINTS`` points, evenly spaced, and always the last one."""
    step = -(-len(points) // MAX_POINTS)
    return points if step < 2 else [*points[:-1:step], points[-1]]  # noqa: PLR2004 (nothing to leave out)


def _is_of(attempt: Attempt, spell: _Spell) -> bool:
    end = attempt.began if attempt.ended is None else attempt.ended
    same = (attempt.hop, attempt.range) == (spell.hop, spell.range)
    return same and attempt.began - CLOSE_SECONDS <= spell.began <= end + CLOSE_SECONDS


def _logged(lines: list[Line]) -> Attempt | None:
    """Read one invocation; ``None`` when it ended before it logged its hop."""
    events = {line.body["event"]: line.body for line in lines if "event" in line.body}
    named = next((body for body in events.values() if "hop" in body), None)
    if named is None:
        return None
    outcome, reason = NOTHING, ""
    for event, word in ENDS.items():
        if event in events:
            outcome, reason = word, str(events[event].get("reason", ""))
    if "failed" in events and not events["failed"].get("terminal", True):
        outcome = WAITED
    elif outcome == NOTHING and "duplicate" in events:
        reason = f"nothing to do: the job is {events['duplicate'].get('state')}"
    times = list(_times(lines))
    counts = [line.body["count"] for line in lines if line.body.get("event") in COUNTED and "count" in line.body]
    return Attempt(
        hop=int(named["hop"]),
        began=min(times),
        ended=max(times),
        outcome=outcome,
        request=lines[0].request,
        count=max(counts, default=None),
        reason=reason,
        range=named.get("range"),
    )


def _times(lines: list[Line]) -> Iterator[float]:
    return (line.at for line in lines if line.at is not None)
