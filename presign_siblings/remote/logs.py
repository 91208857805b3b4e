"""The function's log lines as they arrive, each once."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from types_boto3_logs import CloudWatchLogsClient

# CloudWatch Logs may deliver older lines after newer ones, so each call reads the last minute again.
OVERLAP = timedelta(seconds=60)

Line = dict[str, Any]


class Tail:
    """
    The structured lines of a log group after an instant.

    :param logs:  CloudWatch Logs client.
    :param group: Name of the log group; a group that does not exist yet is empty.
    :param since: The instant, UTC.
    """

    def __init__(self, logs: CloudWatchLogsClient, group: str, since: datetime) -> None:
        self._logs, self._group, self._since = logs, group, since
        self._newest = since
        self._known: dict[object, datetime] = {}
        self.is_missing = False  # whether the last call found no group

    def new(self) -> list[Line]:
        """Return the lines that are new since the last call, in the order of their time."""
        return [line for message in self.messages() if (line := structured(message)) is not None]

    def messages(self) -> list[str]:
        """Return every line that is new since the last call, lines of the platform too."""
        return [event["message"] for event in self.events()]

    def events(self) -> list[Any]:
        """Return the new lines in CloudWatch Logs' own form: stream, time and message."""
        start = max(self._since, self._newest - OVERLAP)
        new, places = [], Counter[tuple[str, int, str]]()
        for event in self._events(start):
            place = (event["logStreamName"], event["timestamp"], event["message"])
            places[place] += 1
            identity = event.get("eventId") or (*place, places[place])
            at = datetime.fromtimestamp(event["timestamp"] / 1000, tz=UTC)
            self._newest = max(self._newest, at)
            if identity not in self._known:
                self._known[identity] = at
                new.append(event)
        forgotten = self._newest - 2 * OVERLAP
        self._known = {identity: at for identity, at in self._known.items() if at >= forgotten}
        return new

    def _events(self, start: datetime) -> Iterator[Any]:
        pages, self.is_missing = self._logs.get_paginator("filter_log_events"), False
        try:
            for page in pages.paginate(logGroupName=self._group, startTime=int(start.timestamp() * 1000)):
                yield from page["events"]
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            self.is_missing = True


def structured(message: str) -> Line | None:
    """Return one of the function's own events, or ``None`` for any other line."""
    try:
        line = json.loads(message)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("event"), str) else None


def of_job(lines: Iterable[Line], job_key: str) -> list[Line]:
    """Return the lines about one job, of all its runs: a job id begins with the first half of the job key."""
    return [line for line in lines if str(line.get("job_id", "")).startswith(f"{job_key[:16]}-")]


def instant(line: Mapping[str, Any]) -> datetime | None:
    """Return the time of a line, UTC."""
    try:
        at = datetime.fromisoformat(str(line["timestamp"]).replace(",", "."))
    except (KeyError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def is_an_end(line: Line) -> bool:
    """Whether no hop follows; after a failure that is not terminal, Lambda delivers the event again."""
    return line["event"] in {"complete", "parked", "failed", "invalid"} and bool(line.get("terminal", True))
