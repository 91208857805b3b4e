"""Work on a stream of items in threads that take the next item when they are free: nothing is read ahead."""

from __future__ import annotations

import time
from threading import Lock, Thread, local
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
_LOOK_SECONDS = 0.01


class _Held(local):
    """What this thread gives up while it is away; ``None`` where threads take no turns."""

    turn: Lock | None = None
    watch: Lock | None = None


held = _Held()


class Away:
    """
    A block in which a thread waits, or computes outside Python, and leaves its turn to the others.

    At its end the thread takes a turn again; the watch (see ``turns``) stays with the thread that has it then.
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
        """Wait for the next turn."""
        if self._turn is not None:
            self._turn.acquire()
            held.turn = self._turn


def for_each_concurrently(
    things: Iterator[T], work: Callable[[T], None], concurrency: int, stop: Callable[[], None] = lambda: None
) -> None:
    """
    Call ``work`` for each item, in the order of the stream.

    :param concurrency: Items at once.
    :param stop:        Called when one fails, or the caller is interrupted: ends the waits of the others.
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

    crew = Crew(lambda: next_ones(crew.errors), stop)
    crew.run(concurrency)


class Crew:
    """
    Threads that do the same work.

    :param work:   The work of each thread.
    :param stop:   Called when one fails, or the caller is interrupted.
    :param errors: The errors of all threads; any of them ends all.
    """

    def __init__(self, work: Callable[[], None], stop: Callable[[], None]) -> None:
        self._work, self._stop = work, stop
        self.errors, self._ended, self._threads = list[BaseException](), list[None](), list[Thread]()

    def __len__(self) -> int:
        """Return how many threads have begun."""
        return len(self._threads)

    def run(self, number: int) -> None:
        """
        Start threads, and wait until all have ended, those that were added later too.

        Where the system allows no thread, the caller's own does the work.

        :raises BaseException: The first error.
        """
        try:
            for _ in range(number):
                self.add()
            if not self._threads:
                self._one()
            for thread in self._threads:
                thread.join()
        except BaseException as error:
            self.errors.insert(0, error)
            self._stop()
            # An interrupted join marks the thread as ended (bpo-45274).
            while len(self._ended) < sum(thread.ident is not None for thread in self._threads):
                time.sleep(_LOOK_SECONDS)
            raise
        if self.errors:
            raise self.errors[0]

    def add(self) -> bool:
        """Start one more thread; return whether the system allows it."""
        self._threads.append(Thread(target=self._one, daemon=True))
        try:
            self._threads[-1].start()
        except RuntimeError:
            self._threads.pop()
            return False
        return True

    def _one(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - raised by the caller's thread
            self.errors.append(error)
            self._stop()
        finally:
            self._ended.append(None)
