"""The next page of a chain of list requests, asked for as soon as the present one says where: only S3 is waited for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from processor.errors import CursorRefusedError
from processor.listing.page_parser import next_token

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from processor.listing.listed import Listed


class NextPage:
    """
    Brings one page after the other; at most one request is ahead of the page that is waited for.

    ``is_asked_ahead`` says whether that request is sent at all.

    :param send: Sends a list request: from a continuation token, or else after a key.
    """

    def __init__(self, send: Callable[[str | None, str | None], Coroutine[Any, Any, Listed]]) -> None:
        self._send = send
        self._ahead: tuple[str, asyncio.Task[Listed]] | None = None
        self._after_it: str | None = None  # token of the page after the one that is ahead, once that one says it
        self._is_awaited = False
        self.is_asked_ahead = False

    async def on_page(self, response_dict: dict[str, Any], **_: object) -> None:
        """
        Send the request for the next page of one that is waited for (handler of botocore's ``EVENT``, too).

        :param response_dict: ``status_code`` and ``body`` of a page, or the body's beginning.
        """
        token = next_token(response_dict) if self.is_asked_ahead else None
        if token is None:
            return
        if self._ahead is not None:  # an earlier try of the page that is waited for may have asked
            self._after_it = token if asyncio.current_task() is self._ahead[1] else self._after_it
        elif self._is_awaited:
            self._ask(token)
            await asyncio.sleep(0)  # lets the task send the request

    def _ask(self, token: str) -> None:
        self._ahead, self._after_it = (token, asyncio.create_task(self._send(token, None))), None

    async def get(self, cursor: str | None, last_key: str | None) -> Listed:
        """
        Return a page: the one that was asked for ahead, or else of a new request.

        :param cursor:   Continuation token, preferred.
        :param last_key: Key to start after, in place of a token that S3 refuses.
        :raises CursorRefusedError: The token is refused and there is no last key.
        """
        if self._ahead is not None and self._ahead[0] != cursor:
            await self.forget()
        ahead, self._ahead, self._is_awaited = self._ahead, None, True
        if self._after_it is not None:
            self._ask(self._after_it)
        try:
            return await (self._send(cursor, last_key) if ahead is None else ahead[1])
        except CursorRefusedError:
            if ahead is None or last_key is None:
                raise
            return await self._send(None, last_key)
        finally:
            self._is_awaited = False

    async def forget(self) -> None:
        """Stop the request that was sent ahead: nothing may outlive the client."""
        if self._ahead is not None:
            self._ahead[1].cancel()
            await asyncio.gather(self._ahead[1], return_exceptions=True)
            self._ahead = self._after_it = None
