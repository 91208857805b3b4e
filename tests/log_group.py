"""A log group in memory, and the lines that a function writes to it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, cast

from botocore.exceptions import ClientError

from presign_siblings.remote import logs
from tests.conftest import NOW

Event = dict[str, Any]


def event(seconds: float, message: str, stream: str = "a", **fields: Any) -> Event:
    """Return a log event some seconds after ``NOW``."""
    at = int((NOW + timedelta(seconds=seconds)).timestamp() * 1000)
    return {"logStreamName": stream, "timestamp": at, "message": message, **fields}


def line(name: str, seconds: float = 0, **fields: Any) -> str:
    """Return a structured line."""
    at = (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S,000+0000")
    return json.dumps({"event": name, "timestamp": at, **fields})


class Group:
    """A log group that a test fills, and that obeys ``startTime``."""

    def __init__(self, *events: Event) -> None:
        self.events, self.starts = list(events), list[int]()
        self.missing = False

    def get_paginator(self, _name: str) -> Group:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        if self.missing:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "FilterLogEvents")
        self.starts.append(request["startTime"])
        return [{"events": [each for each in self.events if each["timestamp"] >= request["startTime"]]}]


def tail(group: Group, since: datetime = NOW) -> logs.Tail:
    """Return a tail of the group."""
    return logs.Tail(cast("Any", group), "group", since)
