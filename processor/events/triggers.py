"""
What may start a job, or continue it: a direct event, a schedule, a sibling, a ``resume`` payload, a record of a queue,
the state machine, the end of one of its executions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError, NewerVersionError
from processor.events import sqs
from processor.events.event_kinds import Batch, Invalid, One
from processor.events.task_token import CHAIN, TOKEN
from processor.events.wrapping import FAILED, event_object, failed_at, unwrapped
from processor.job import MARKS, Job, SiblingPayload, refuse_unknown, times, validation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from processor.job import DeploymentSettings

SCHEDULED = "Scheduled Event"
EXECUTION_ENDED = "Step Functions Execution Status Change"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """
    What the reading of an event depends on, besides the event.

    :param delivery: Names the delivery: the request id, which a retry of an event keeps.
    :param clock:    UTC.
    :param tasks:    Whether the installed sosw has tasks: sosw 3 has none.
    :param token:    Token of the state machine's task that the event comes from.
    """

    environment: Mapping[str, str]
    config: Mapping[str, Any]
    deployment: DeploymentSettings
    delivery: str
    clock: Callable[[], datetime]
    tasks: bool = True
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Delivery:
    """
    How an event came.

    :param name: Request id, or id of an EventBridge event or a message: the same for each delivery of an event.
    :param sent: When it was sent, or failed: replaces an absent ``time``, so that each delivery of it is the same job.
    """

    name: str
    sent: datetime | None = None


def is_batch(event: object) -> bool:
    """Return whether SQS waits for an answer that names the messages that stay in the queue."""
    return isinstance(event, dict) and "Records" in event and sqs.SIBLING not in event


def is_kept(event: object) -> bool:
    """
    Whether an event must not end with an answer, which its sender never reads: a hop's to the next one, the state
    machine's, or a replay.

    Lambda keeps an event that an error refuses, in its retries and in the on-failure queue.
    """
    if not isinstance(event, dict):
        return False
    by_machine = CHAIN in event or event.get("detail-type") == EXECUTION_ENDED
    return FAILED in event or by_machine or (event.keys() >= MARKS and event["resume"] is not True)


def read(event: object, around: Surroundings) -> One | Batch | Invalid:
    """Turn any event into what it asks for; no AWS call is made."""
    if not is_batch(event):
        return read_one(event, around)
    try:
        return Batch(sqs.records(event_object("event", event)))
    except InvalidEventError as error:
        return Invalid(error.field, str(error), needs_error=sqs.is_fifo(event))


def read_one(event: object, around: Surroundings) -> One | Invalid:
    """Turn an event that is no batch into what it asks for."""
    try:
        return one_of(event, around)
    except InvalidEventError as error:
        # What a newer version wrote is no fault of the sender: once that version is back, the event is good.
        return Invalid(error.field, str(error), needs_error=isinstance(error, NewerVersionError) and is_kept(event))


def one_of(event: object, around: Surroundings) -> One:
    """
    Read the run, and the place in it, that an event asks for.

    :raises InvalidEventError: The event breaks a rule.
    """
    event = event_object("event", event)
    event, delivery = unwrapped(event), _Delivery(around.delivery, failed_at(event))
    while "Records" in event:
        message = sqs.the_one(event)
        body = message.event()
        event, delivery = unwrapped(body), _Delivery(message.message_id, failed_at(body) or message.sent)
    validation.log_level("logging_level", event.get("logging_level"))
    if CHAIN in event:  # the state machine gives a range to a chain, or a job its end
        refuse_unknown(event, {CHAIN, TOKEN})
        run = SiblingPayload.from_payload(event_object(CHAIN, event[CHAIN]), around.deployment)
        return One(run, token=around.token or event.get(TOKEN))
    if event.get("detail-type") == EXECUTION_ENDED:
        return One(SiblingPayload.from_payload(_of_execution(event), around.deployment))
    if MARKS & event.keys():
        run = SiblingPayload.from_payload(event, around.deployment)
        return One(run, resume=run.resume)
    return _first(event, delivery, around)


def _of_execution(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a job continues whose execution of the state machine has ended without finishing it."""
    given = str(event_object("detail", event.get("detail")).get("input"))
    try:
        return event_object("detail.input.job", json.loads(given)["job"])
    except (TypeError, ValueError, KeyError):
        raise InvalidEventError("detail.input", given, "must be what the state machine was started with") from None


def _first(event: dict[str, Any], delivery: _Delivery, around: Surroundings) -> One:
    """Begin a run of the job that an event describes."""
    if event.get("task_id") is not None and not around.tasks:
        raise InvalidEventError("task_id", event["task_id"], "must be absent: sosw 3 has no tasks, only sosw 0.7 has")
    if event.get("task_id") is not None and event.get("created_at") is not None:
        event, delivery = _of_task(event, delivery)
    if "detail-type" in event:
        delivery = _Delivery(str(event.get("id") or delivery.name), delivery.sent)
        event = _scheduled(event)
    now = around.clock()
    job = Job.from_event(
        event,
        config=around.config,
        environment=around.environment,
        deployment=around.deployment,
        now=delivery.sent or now,
    )
    time = job.time if event.get("time") is not None else None
    return One(SiblingPayload.first(job, job.job_id(delivery.name), now), time=time)


def _of_task(event: dict[str, Any], delivery: _Delivery) -> tuple[dict[str, Any], _Delivery]:
    """
    Read what sosw's Orchestrator adds to a task.

    A task may be started again, days later even: its dates stay those of its creation, and ``fresh`` counts at its
    first start, whose payload has no ``attempts`` yet.
    """
    if str(event.get("attempts") or 0) != "0":
        event = {name: value for name, value in event.items() if name != "fresh"}
    return event, _Delivery(delivery.name, times.epoch("created_at", event["created_at"]))


def _scheduled(event: Mapping[str, Any]) -> dict[str, Any]:
    """Take the time out of an EventBridge schedule's envelope; the other fields come from config and environment."""
    if event["detail-type"] != SCHEDULED:
        raise InvalidEventError("detail-type", event["detail-type"], f"must be {SCHEDULED!r}")
    return {"time": event.get("time")}
