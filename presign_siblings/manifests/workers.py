"""Work on a stream of items, several at a time; a thread reads the stream, and never far ahead."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")
BATCH = 256  # items read at once: reading waits for a disk or a network


async def for_each_concurrently(things: Iterator[T], work: Callable[[T], Awaitable[None]], concurrency: int) -> None:
    """
    Await ``work`` for each item, in the order of the stream.

    :param concurrency: Items at once; as many more wait in memory.
    :raises Exception: The first error of reading or work; the other work is stopped.
    """
    queue: asyncio.Queue[T | None] = asyncio.Queue(concurrency)

    async def worker() -> None:
        while (thing := await queue.get()) is not None:
            await work(thing)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())
            while batch := await asyncio.to_thread(lambda: list(islice(things, BATCH))):
                for thing in batch:
                    await queue.put(thing)
            for _ in range(concurrency):
                await queue.put(None)
    except BaseExceptionGroup as raised:
        raise raised.exceptions[0] from None
