"""Follow a chain of siblings by what the function logs: one JSON object a line."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from types_boto3_logs import CloudWatchLogsClient

ENDS = frozenset({"complete", "parked", "failed", "invalid"})
LOOK_SECONDS = 0.2

Identity = tuple[str, int]
"""Of a log event: its stream, and its place there."""


class ChainError(RuntimeError):
    """The chain did not come to its end in time."""


def seen(logs: CloudWatchLogsClient, group: str) -> set[Identity]:
    """Return what the log group holds already: lines of former jobs."""
    return {identity for identity, _ in _events(logs, group)}


def lines(
    logs: CloudWatchLogsClient, group: str, seconds: float, former: Collection[Identity] = ()
) -> Iterator[dict[str, Any]]:
    """
    Yield the structured lines of a log group as they come, each once.

    Lambda hands a sibling's lines over when it ends, in the emulator. The last line yielded is one of ``ENDS``.

    :param group:   Name of the log group.
    :param seconds: How long to wait for the end.
    :param former:  Not to be yielded: what ``seen`` returned before the job began.
    :raises ChainError: It did not come; the message holds the last lines that are no JSON, such as a traceback.
    """
    known = set(former)
    strays: list[str] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        new = [event for event in _events(logs, group) if event[0] not in known]
        known.update(identity for identity, _ in new)
        for _, message in new:
            line = _structured(message)
            if line is None:
                strays.append(message)
            else:
                yield line
                if _is_an_end(line):
                    return
        if not new:
            time.sleep(LOOK_SECONDS)
    raise ChainError("\n".join([f"the chain did not end in {seconds:.0f} s; its last other lines:", *strays[-15:]]))


def _is_an_end(line: dict[str, Any]) -> bool:
    """Whether no sibling follows; after a failure that is not terminal, Lambda delivers the event again."""
    return line["event"] in ENDS and bool(line.get("terminal", True))


def _events(logs: CloudWatchLogsClient, group: str) -> Iterator[tuple[Identity, str]]:
    """
    Yield identity and message of every event of every stream: an invocation may open a stream of its own.

    The identity is the event's place in its stream, since the emulator gives no ``eventId``.
    """
    places: Counter[str] = Counter()
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group):
        for event in page["events"]:
            stream = event["logStreamName"]
            places[stream] += 1
            yield (stream, places[stream]), event["message"].strip()


def _structured(message: str) -> dict[str, Any] | None:
    try:
        line = json.loads(message)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("event"), str) else None
