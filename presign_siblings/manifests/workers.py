"""Work on a stream of items in threads, which take the next item when they are free: nothing is read ahead."""

from __future__ import annotations

import time
from threading import Lock, Thread, local
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
_LOOK_SECONDS = 0.01


class _Held(local):
    """What this thread leaves to the others while it is away; ``None`` where threads take no turns."""

    turn: Lock | None = None
    watch: Lock | None = None


held = _Held()


class Away:
    """
    A thread that waits for something, or computes without Python, and leaves its turn to the others meanwhile.

    It comes back for its turn, and leaves the watch (see ``turns``) to whoever has it then.
    """

    __slots__ = ("_turn",)

    def __enter__(self) -> None:
        """Give the turn away, if this thread has one."""
        self._turn, held.turn = held.turn, None
        watch, held.watch = held.watch, None
        if self._turn is not None:
            self._turn.release()
        if watch is not None:
            watch.release()

    def __exit__(self, *_: object) -> None:
        """Wait for the next one."""
        if self._turn is not None:
            self._turn.acquire()
            held.turn = self._turn


def for_each_concurrently(
    things: Iterator[T], work: Callable[[T], None], concurrency: int, stop: Callable[[], None] = lambda: None
) -> None:
    """
    Call ``work`` for each item, in the order of the stream.

    :param concurrency: Items at once.
    :param stop:        Called when one fails, or the caller is interrupted: ends what the others wait for.
    :raises BaseException: The first error of reading or work.
    """
    lock = Lock()

    def next_ones(errors: list[BaseException]) -> None:
        while not errors:
            with lock:
                thing = next(things, None)
            if thing is None:
                return
            work(thing)

    in_threads(next_ones, concurrency, stop)


def in_threads(work: Callable[[list[BaseException]], None], number: int, stop: Callable[[], None]) -> None:
    """
    Call ``work`` in each of some threads, and wait until all of them have ended.

    :param work: Gets the errors of all, which tell it to end.
    :param stop: Called when one fails, or the caller is interrupted.
    :raises BaseException: The first error.
    """
    errors, ended = list[BaseException](), list[None]()

    def worker() -> None:
        try:
            work(errors)
        except BaseException as error:  # noqa: BLE001 - raised by the caller's thread
            errors.append(error)
            stop()
        finally:
            ended.append(None)

    threads = [Thread(target=worker, daemon=True) for _ in range(number)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException as error:
        errors.insert(0, error)
        stop()
        # A join that was interrupted takes the thread for one that has ended (bpo-45274).
        while len(ended) < sum(thread.ident is not None for thread in threads):
            time.sleep(_LOOK_SECONDS)
        raise
    if errors:
        raise errors[0]
