"""
What may start a job: a direct event, a schedule, a sibling, a ``resume`` payload, an on-failure record, an SQS message.

A person pastes what is at hand: the ``resume`` payload itself, the answer or the log line that holds it, the record of
the on-failure queue.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError
from processor.events import sqs
from processor.job import MARKS, Job, SiblingPayload, validation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from processor.job import DeploymentSettings

SCHEDULED = "Scheduled Event"
NO_OBJECT = "<not an object>"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What stands around an event.

    :param delivery: Names the delivery: the request id, which a retry of an event keeps, or the id of a message.
    :param now:      UTC.
    :param sent:     When a message was sent: stands for its ``time``, so that each delivery of it is the same job.
    """

    environment: Mapping[str, str]
    config: Mapping[str, Any]
    deployment: DeploymentSettings
    delivery: str
    now: datetime
    sent: datetime | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """
    What an event asks for.

    :param run:    The run, and the place in it.
    :param resume: A person goes on with a parked or lost chain.
    :param time:   The event's own time, when it states one.
    """

    run: SiblingPayload
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
    for name, inner in _wrapped(event).items():
        held = _wrapped(inner) if isinstance(inner, dict) else {}
        if held and (name != "requestPayload" or name in held):
            raise InvalidEventError(name, "a wrapped event", "must hold the event itself, not another that holds it")
        return read(inner, around)
    if "Records" in event:
        message = sqs.the_one(event)
        return read(message.event(), replace(around, delivery=message.message_id, sent=message.sent))
    if MARKS & event.keys():
        run = SiblingPayload.from_payload(event, around.deployment)
        return Submission(run, resume=run.resume)
    if event.get("task_id") is not None and event.get("created_at") is not None:
        event, around = _of_task(event, around)
    delivery = around.delivery
    if "detail-type" in event:
        delivery, event = str(event.get("id") or delivery), _scheduled(event)
    job = Job.from_event(
        event,
        config=around.config,
        environment=around.environment,
        deployment=around.deployment,
        now=around.sent or around.now,
    )
    time = job.time if event.get("time") is not None else None
    return Submission(SiblingPayload.first(job, job.job_id(delivery), around.now), time=time)


def no_object(event: object) -> dict[str, object]:
    """Wrap a payload that is no object, for sosw's handler, which calls ``.get`` on every event."""
    return {NO_OBJECT: event}


def _wrapped(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event is wrapped around, under the wrapping's name; empty for an event itself."""
    if "requestPayload" in event:  # a record of the on-failure queue
        return {"requestPayload": event["requestPayload"]}
    if isinstance(event.get("resume"), dict):  # a log line ``parked``, or an answer's body
        return {"resume": event["resume"]}
    if "statusCode" in event and isinstance(event.get("body"), str):  # an answer
        return {"body": _parked(event["body"])}
    return {}


def _parked(body: str) -> object:
    """Return the payload in the body of an answer that has one."""
    try:
        resume = json.loads(body)["resume"]
    except (ValueError, TypeError, KeyError):
        raise InvalidEventError("body", "an answer", "must be that of a parked job, with its resume payload") from None
    return resume


def _of_task(event: dict[str, Any], around: Surroundings) -> tuple[dict[str, Any], Surroundings]:
    """
    Read what sosw's Orchestrator adds to a task.

    A task may be started again, days later even: its dates stay those of its creation, and ``fresh`` counts at its
    first start, whose payload has no ``attempts`` yet.
    """
    if str(event.get("attempts") or 0) != "0":
        event = {name: value for name, value in event.items() if name != "fresh"}
    return event, replace(around, sent=validation.epoch("created_at", event["created_at"]))


def _scheduled(event: Mapping[str, Any]) -> dict[str, Any]:
    """Take the time out of an EventBridge schedule's envelope; config and environment say the rest."""
    if event["detail-type"] != SCHEDULED:
        raise InvalidEventError("detail-type", event["detail-type"], f"must be {SCHEDULED!r}")
    return {"time": event.get("time")}
