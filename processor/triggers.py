"""What may start an invocation: a direct event, a schedule, a sibling, a ``resume`` payload, an on-failure record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.continuation import MARKS, Continuation
from processor.errors import InvalidEventError
from processor.job import Job

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from processor.deployment import Deployment

SCHEDULED = "Scheduled Event"
NO_OBJECT = "<not an object>"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What stands around an event.

    :param request_id: The invocation's; a retry of an event keeps it.
    :param now:        UTC.
    """

    environment: Mapping[str, str]
    config: Mapping[str, Any]
    deployment: Deployment
    request_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Submission:
    """
    What an event asks for.

    :param run:    The run, and the place in it.
    :param resume: A person goes on with a parked or lost chain.
    :param time:   The event's own time, when it states one.
    """

    run: Continuation
    resume: bool = False
    time: datetime | None = None


def read(event: object, around: Surroundings) -> Submission:
    """
    Turn any event into the run, and the place in it, that the invocation works on.

    :raises InvalidEventError: The event breaks a rule; no AWS call has been made.
    """
    if not isinstance(event, dict) or NO_OBJECT in event:
        raise InvalidEventError(
            "event", event[NO_OBJECT] if isinstance(event, dict) else event, "must be a JSON object"
        )
    if "requestPayload" in event:
        return _unwrapped(event["requestPayload"], around)
    if "Records" in event:
        raise InvalidEventError("Records", _sources(event["Records"]), "is no event source of this function")
    if MARKS & event.keys():
        run = Continuation.from_payload(event, around.deployment)
        return Submission(run, resume=run.resume)
    delivery = around.request_id
    if "detail-type" in event:
        delivery, event = str(event.get("id") or delivery), _scheduled(event)
    job = Job.from_event(
        event,
        config=around.config,
        environment=around.environment,
        deployment=around.deployment,
        now=around.now,
    )
    time = job.time if event.get("time") is not None else None
    return Submission(Continuation.first(job, job.job_id(delivery), around.now), time=time)


def no_object(event: object) -> dict[str, object]:
    """Wrap a payload that is no object, for sosw's handler, which calls ``.get`` on every event."""
    return {NO_OBJECT: event}


def _unwrapped(payload: object, around: Surroundings) -> Submission:
    """Take the original event out of an on-failure record, once."""
    if isinstance(payload, dict) and "requestPayload" in payload:
        raise InvalidEventError("requestPayload", "a record", "must hold the original event, not another record")
    return read(payload, around)


def _scheduled(event: Mapping[str, Any]) -> dict[str, Any]:
    """Take the time out of an EventBridge schedule's envelope; config and environment say the rest."""
    if event["detail-type"] != SCHEDULED:
        raise InvalidEventError("detail-type", event["detail-type"], f"must be {SCHEDULED!r}")
    return {"time": event.get("time")}


def _sources(records: object) -> str:
    """Name the services that records come from."""
    if not isinstance(records, list):
        return type(records).__name__
    names = {str(r.get("eventSource") or r.get("EventSource")) for r in records if isinstance(r, dict)}
    return ", ".join(sorted(names)) or "no records"
