"""SQS messages, each the event of one job: a batch of them, or one that a sibling does alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError
from processor.events.wrapping import decoded, event_object

if TYPE_CHECKING:
    from collections.abc import Mapping

SQS = "aws:sqs"
SIBLING = "sibling"


@dataclass(frozen=True, slots=True)
class Message:
    """
    One message.

    :param message_id: The same at each delivery.
    :param sent:       When it was sent, UTC: the job's ``time`` when the body has none.
    """

    message_id: str
    body: str
    sent: datetime | None

    @classmethod
    def from_record(cls, record: object) -> Message:
        """
        Read a record of a batch.

        :raises InvalidEventError: It is not an SQS message.
        """
        if not isinstance(record, dict) or _source(record) != SQS:
            raise InvalidEventError("Records", _source(record), f"must all come from {SQS}")
        for name in ("messageId", "body"):
            if not isinstance(record.get(name), str):
                raise InvalidEventError(f"Records.{name}", record.get(name), "must be a string")
        attributes = record.get("attributes")
        sent = attributes.get("SentTimestamp") if isinstance(attributes, dict) else None
        try:
            at = None if sent is None else datetime.fromtimestamp(int(sent) / 1000, UTC)
        except (ValueError, TypeError, OverflowError):
            raise InvalidEventError("SentTimestamp", sent, "must be milliseconds since 1970") from None
        return cls(record["messageId"], record["body"], at)

    def event(self) -> dict[str, Any]:
        """
        Return the event in the body.

        :raises InvalidEventError: It is not a JSON object, or the notification of another service.
        """
        event = event_object("body", decoded("body", self.body, "must be JSON: the event of one job"))
        if "Records" in event:
            raise InvalidEventError("body", f"Records of {_sources(event['Records'])}", "must be the event of one job")
        return event

    def alone(self) -> dict[str, Any]:
        """Return the event by which a sibling does this message's job: the run is the same, whoever begins it."""
        attributes = {} if self.sent is None else {"SentTimestamp": str(round(self.sent.timestamp() * 1000))}
        record = {"messageId": self.message_id, "body": self.body, "eventSource": SQS, "attributes": attributes}
        return {"Records": [record], SIBLING: True}


def records(event: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """
    Return the records of a batch, each of which is a message.

    :raises InvalidEventError: One is another service's, or no message.
    """
    records = event["Records"]
    if not isinstance(records, list) or not records or any(_source(record) != SQS for record in records):
        raise InvalidEventError("Records", _sources(records), f"must all come from {SQS}")
    if is_fifo(event):
        # A job continues in siblings after its message is done: the next one would begin before it ends.
        raise InvalidEventError("Records", "messages of a FIFO queue", "must come from a standard queue")
    for record in records:
        Message.from_record(record)
    return tuple(records)


def is_fifo(event: object) -> bool:
    """Whether an event is a batch out of a FIFO queue."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and any(
        isinstance(record, dict) and str(record.get("eventSourceARN", "")).endswith(".fifo") for record in records
    )


def the_one(event: Mapping[str, Any]) -> Message:
    """
    Return the message of a sibling's event, which is input like any other.

    :raises InvalidEventError: It is not as ``Message.alone`` writes it.
    """
    records = event["Records"]
    if (
        not isinstance(records, list)
        or len(records) != 1
        or {**event, "Records": None} != {"Records": None, SIBLING: True}
    ):
        raise InvalidEventError("Records", _sources(records), "must be a batch of SQS, or one message beside sibling")
    return Message.from_record(records[0])


def _source(record: object) -> str:
    """Name the service that a record comes from."""
    if not isinstance(record, dict):
        return type(record).__name__
    return str(record.get("eventSource") or record.get("EventSource"))


def _sources(records: object) -> str:
    """Name the services that records come from."""
    if not isinstance(records, list):
        return type(records).__name__
    return ", ".join(sorted(set(map(_source, records)))) or "no records"
