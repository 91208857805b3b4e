"""Events that sosw's handler cannot take, or must not see."""

from __future__ import annotations

from processor.errors import InvalidEventError
from processor.events.event_kinds import Invalid
from processor.events.wrapping import event_object, refuse_deep
from processor.job import validation

PIPE_RULE = (
    "must be a JSON object; EventBridge Pipes sends lists, and counts any answer as a success: let the queue itself "
    "start the function, or let the pipe send to the queue"
)

HEADERS = "headers"
HTTP_RULE = (
    "an event with headers is refused: it is an HTTP request of a function URL, API Gateway or a load balancer; "
    "convert the request into the event of a job before it reaches the function"
)


def unfit(event: object) -> Invalid | None:
    """
    Return why sosw's handler cannot take an event: it calls ``.get`` on it, logs it, and sets the log's level.

    The headers of an HTTP request hold the sender's credentials: a bearer token, a cookie, a password.
    """
    if isinstance(event, dict) and HEADERS in event:
        return Invalid(HEADERS, HTTP_RULE)
    if isinstance(event, list) and event:
        error = InvalidEventError("event", f"a list of {len(event)}", PIPE_RULE)
        return Invalid(error.field, str(error), needs_error=True)
    try:
        refuse_deep("event", event)
        validation.log_level("logging_level", event_object("event", event).get("logging_level"))
    except InvalidEventError as error:
        return Invalid(error.field, str(error))
    return None
