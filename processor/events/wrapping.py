"""
What an event may be wrapped in.

An operator pastes what is at hand: the ``resume`` payload itself, the answer or the log line that holds it, the record
of the on-failure queue.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError
from processor.job import times

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

DEEPEST = 100  # levels of an event, which needs ten at most; Python writes and reads about 900
FAILED = "requestPayload"  # of a record of the on-failure queue: the event that failed
_TWICE = "must contain the event itself, not another record of it"


def event_object(name: str, value: object) -> dict[str, Any]:
    """
    Return a value that is a JSON object.

    :raises InvalidEventError: It is not one.
    """
    if not isinstance(value, dict):
        raise InvalidEventError(name, value, "must be a JSON object")
    return value


def decoded(name: str, text: str, rule: str) -> Any:  # noqa: ANN401 - JSON
    """
    Return the value that JSON text holds.

    :raises InvalidEventError: It is not JSON, or JSON that is nested too deep.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidEventError(name, text, rule) from None
    refuse_deep(name, value)
    return value


def refuse_deep(name: str, value: object) -> None:
    """
    Refuse JSON that is nested so deep that logging it, or naming it in a message, would fail.

    :raises InvalidEventError: It is nested more than ``DEEPEST`` levels deep.
    """
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inner(outer)]
        if not level:
            return
    raise InvalidEventError(name, "nested JSON", f"must be nested at most {DEEPEST} levels deep")


def _inner(outer: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer


def unwrapped(event: dict[str, Any]) -> dict[str, Any]:
    """
    Take an event out of a record of the on-failure queue, then out of an answer or a log line.

    :raises InvalidEventError: What is wrapped is no event, or is wrapped twice.
    """
    while FAILED in event:  # a replay that failed once more is wrapped once more
        event = event_object(FAILED, event[FAILED])
    name, held = _held(event)
    if name is None:
        return event
    inner = event_object(name, held)
    if FAILED in inner or _held(inner)[0] is not None:
        raise InvalidEventError(name, "a wrapped event", _TWICE)
    return inner


def failed_at(event: dict[str, Any]) -> datetime | None:
    """
    Return when an event failed, by its record of the on-failure queue: by the innermost, where replays failed, too.

    :raises InvalidEventError: The record's time is not a time.
    """
    at = None
    while isinstance(event.get(FAILED), dict):
        at, event = event.get("timestamp", at), event[FAILED]
    return None if at is None else times.instant("timestamp", at)


def _held(event: dict[str, Any]) -> tuple[str | None, object]:
    """Return what an answer or a log line holds, under its name there; no name for an event itself."""
    if isinstance(event.get("resume"), dict):  # a log line ``parked``, or an answer's body
        return "resume", event["resume"]
    if "statusCode" in event and isinstance(event.get("body"), str):
        rule = "must be that of a parked job, with its resume payload"
        body = decoded("body", event["body"], rule)
        if not isinstance(body, dict) or "resume" not in body:
            raise InvalidEventError("body", "an answer", rule)
        return "body", body["resume"]
    return None, None
