"""Handlers of a client's events that belong to one listing; a client may serve one listing after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def replace_handler(
    client: Any,  # noqa: ANN401 - aiobotocore's, or a test's
    event: str,
    handler: Callable[..., Any],
    unique_id: str,
    *,
    first: bool = False,
) -> None:
    """
    Register a handler in the place of an earlier listing's, which botocore would keep.

    :param first: Whether it comes before all other handlers.
    """
    events = client.meta.events
    events.unregister(event, unique_id=unique_id)
    (events.register_first if first else events.register)(event, handler, unique_id=unique_id)
