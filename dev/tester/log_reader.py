"""The functions' output for the page's panels: structured lines, metrics, and the platform's own text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from presign_siblings.remote import logs

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

LOG, METRIC, PLATFORM = "log", "metric", "platform"
SHOWN_CHARACTERS = 4000  # of a line that is not JSON


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line.

    :param source:  ``chain`` or ``seed``.
    :param kind:    ``log``, ``metric`` or ``platform``.
    :param at:      Time of the line, seconds since the epoch; ``None`` where the line does not say.
    :param request: The invocation that wrote it.
    :param body:    Its fields.
    """

    source: str
    kind: str
    at: float | None
    request: str
    body: dict[str, Any]


class Reader:
    """
    Reads one log group, each line once.

    :param source: Source of its lines.
    :param since:  Seconds since the epoch; earlier events are not read.
    """

    def __init__(self, client: CloudWatchLogsClient, group: str, source: str, since: float) -> None:
        self._tail, self.source = logs.Tail(client, group, datetime.fromtimestamp(since, tz=UTC)), source
        self._request: dict[str, str] = {}

    def new(self) -> list[Line]:
        """Return the lines that are new since the last call; none while the group does not exist."""
        return [self._line(event["logStreamName"], event["message"].rstrip("\n")) for event in self._tail.events()]

    def _line(self, stream: str, message: str) -> Line:
        if message.startswith("START RequestId: "):
            self._request[stream] = message.split()[2]
        body = _object(message)
        request = str((body or {}).get("request_id") or self._request.get(stream, ""))
        if body is None:
            return Line(self.source, PLATFORM, None, request, {"message": message[:SHOWN_CHARACTERS]})
        if "_aws" in body:
            return Line(self.source, METRIC, body["_aws"]["Timestamp"] / 1000, request, metrics(body))
        at = logs.instant(body)
        return Line(self.source, LOG, None if at is None else at.timestamp(), request, body)


def metrics(body: dict[str, Any]) -> dict[str, Any]:
    """Return names and values of an EMF object, without its envelope."""
    names = [metric["Name"] for group in body["_aws"]["CloudWatchMetrics"] for metric in group["Metrics"]]
    values = {name: body[name] for name in names}
    return {name: each[0] if isinstance(each, list) and len(each) == 1 else each for name, each in values.items()}


def _object(message: str) -> dict[str, Any] | None:
    try:
        body = json.loads(message)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
