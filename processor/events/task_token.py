"""The token of a state machine's task: its holder can end the task, so it is taken out before anything is logged."""

from __future__ import annotations

from typing import Any

from processor.events.wrapping import FAILED

CHAIN, TOKEN = "chain", "task_token"  # fields of an event of the state machine


def withheld(event: object) -> tuple[Any, str | None]:
    """
    Take the task's token out of an event; sosw logs what is left.

    :param event: As Lambda delivers it: also a record of the on-failure queue.
    :return: The event without it, and the token.
    """
    if not isinstance(event, dict):
        return event, None
    if isinstance(event.get(FAILED), dict):
        inner, token = withheld(event[FAILED])
        return {**event, FAILED: inner}, token
    token = event.get(TOKEN)
    rest = {name: value for name, value in event.items() if name != TOKEN}
    return rest, token if isinstance(token, str) and token else None
