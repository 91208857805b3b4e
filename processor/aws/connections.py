"""The one seam to AWS's data services: what opens their clients, replaced as a whole by a test or a laptop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.aws.clients import open_dynamodb, open_events, open_s3, open_states

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from types_aiobotocore_s3 import S3Client

    from processor.aws.signing_credentials import SigningCredentials
    from processor.job import Reach


@dataclass(frozen=True, slots=True)
class Connections:
    """
    Opens the asynchronous clients of an invocation, inside its event loop.

    :param s3:       Endpoint, requests under way at once, credentials that sign, how S3 is reached; yields a client and
                     its secret key.
    :param dynamodb: Yields the client of the jobs table.
    :param events:   Yields the client of the event bus.
    :param states:   Yields the client of Step Functions.
    """

    s3: Callable[
        [str | None, int, SigningCredentials | None, Reach], AbstractAsyncContextManager[tuple[S3Client, str]]
    ] = open_s3
    dynamodb: Callable[[], AbstractAsyncContextManager[Any]] = open_dynamodb
    events: Callable[[], AbstractAsyncContextManager[Any]] = open_events
    states: Callable[[], AbstractAsyncContextManager[Any]] = open_states
