"""S3 clients that stay open from hop to hop: opening one takes as long as signing thousands of keys."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from processor.aws import Connections, secret_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from types_aiobotocore_s3 import S3Client

    from presign_siblings.laptop.clock_check import ClockCheck
    from processor.aws import SigningCredentials
    from processor.job import Reach


class KeptClients:
    """
    The clients of one event loop.

    :param opening: Returns what opens them; called for each client, since it fails without credentials.
    :param check:   Compares the clocks at an answer.
    """

    def __init__(self, opening: Callable[[], Connections], check: ClockCheck | None = None) -> None:
        self._opening, self._check, self._stack = opening, check, AsyncExitStack()
        self._open = dict[object, "S3Client"]()

    @property
    def connections(self) -> Connections:
        """What gives the clients to a hop."""
        return Connections(s3=self.s3)

    @asynccontextmanager
    async def s3(
        self, endpoint_url: str | None, concurrency: int, signing: SigningCredentials | None, reach: Reach
    ) -> AsyncIterator[tuple[S3Client, str]]:
        """Yield the client that was opened in the same way before, or open it."""
        arguments = (endpoint_url, concurrency, signing, reach)
        if arguments not in self._open:
            opened = self._opening().s3(endpoint_url, concurrency, signing, reach)
            self._open[arguments], _ = await self._stack.enter_async_context(opened)
            if self._check is not None:
                self._open[arguments].meta.events.register("after-call", self._check.on_answer)
        self._compare()
        client = self._open[arguments]
        yield client, await secret_key(client)  # read now, since a session's key is renewed

    async def close(self) -> None:
        """Close all clients."""
        self._compare()
        await self._stack.aclose()

    def _compare(self) -> None:
        """Compare the clocks by the latest answers: the clock may have gone wrong since the first ones."""
        if self._check is None:
            return
        for client in self._open.values():
            session = getattr(getattr(client, "_endpoint", None), "http_session", None)  # no public attribute has it
            self._check.compare(getattr(session, "date", None))
