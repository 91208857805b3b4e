"""How an event ends, and the contract's answer that says so."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.chain.outcome import Outcome


class Status(StrEnum):
    """How an event ended, in the word of the contract's answer."""

    COMPLETE = "complete"
    CONTINUED = "continued"
    PARKED = "parked"
    IN_PROGRESS = "in_progress"
    INVALID = "invalid"

    @property
    def code(self) -> int:
        """The answer's ``statusCode``."""
        return _CODES[self]


_CODES = {
    Status.COMPLETE: 200,
    Status.CONTINUED: 202,
    Status.PARKED: 409,
    Status.IN_PROGRESS: 409,
    Status.INVALID: 400,
}


@dataclass(frozen=True, slots=True)
class Response:
    """
    How an event ended.

    :param status:       The job is complete, continues, or waits for an operator.
    :param body:         The answer's body, without any URL.
    :param outcome:      The hop's own work, if it did any.
    :param done:         Whether a queue may forget the message: its job is done, or a chain continues it.
    :param urls:         Presigned URLs of manifest and page, to be added once sosw has logged the rest.
    """

    status: Status
    body: dict[str, Any]
    outcome: Outcome | None = None
    done: bool = True
    urls: Mapping[str, str] = field(default_factory=dict)


class Answer(dict[str, Any]):
    """The contract's answer as sosw logs it; the presigned URLs are an attribute, and no item."""

    urls: Mapping[str, str] = MappingProxyType({})

    @classmethod
    def of(cls, response: Response) -> Answer:
        """Return the answer to a direct invoke."""
        answer = cls(statusCode=response.status.code, body=json.dumps(response.body))
        answer.urls = response.urls
        return answer

    def with_urls(self) -> dict[str, Any]:
        """Return what the caller gets."""
        if not self.urls:
            return dict(self)
        return {**self, "body": json.dumps(json.loads(self["body"]) | self.urls)}

    @property
    def size(self) -> int:
        """Bytes that the caller gets."""
        return len(json.dumps(self.with_urls()))
