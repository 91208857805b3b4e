"""What is read from the context that Lambda gives the handler."""

from __future__ import annotations

from typing import Protocol


class LambdaContext(Protocol):
    """The invocation, as Lambda describes it."""

    aws_request_id: str
    function_name: str
    function_version: str
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends the invocation."""


def time_left(context: LambdaContext, shutdown_period: float) -> float:
    """
    Return the seconds until the hop must stop.

    :param shutdown_period: Seconds kept free for checkpoint, guards and invoke.
    """
    return context.get_remaining_time_in_millis() / 1000 - shutdown_period
