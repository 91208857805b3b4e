"""Work on a stream of items in threads, which take the next item when they are free: nothing is read ahead."""

from __future__ import annotations

import time
from threading import Lock, Thread, local
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
_LOOK_SECONDS = 0.01


class _Turn(local):
    """The lock that this thread has while it computes; ``None`` where threads take no turns."""

    lock: Lock | None = None


_turn = _Turn()


class Away:
    """A thread that waits for something, or computes without Python, and leaves its turn to the others meanwhile."""

    __slots__ = ("_lock",)

    def __enter__(self) -> None:
        """Give the turn away, if this thread has one."""
        self._lock, _turn.lock = _turn.lock, None
        if self._lock is not None:
            self._lock.release()

    def __exit__(self, *_: object) -> None:
        """Wait for the next one."""
        if self._lock is not None:
            self._lock.acquire()
            _turn.lock = self._lock


def _do_next(things: Iterator[T], work: Callable[[T], None], lock: Lock, *, turns: bool) -> None:
    with lock:
        thing = next(things)
        if turns:
            work(thing)
            return
    work(thing)


def for_each_concurrently(
    things: Iterator[T],
    work: Callable[[T], None],
    concurrency: int,
    stop: Callable[[], None] = lambda: None,
    *,
    turns: bool = False,
) -> None:
    """
    Call ``work`` for each item, in the order of the stream.

    :param concurrency: Items at once.
    :param stop:        Called when one fails, or the caller is interrupted: ends what the others wait for.
    :param turns:       Let one thread run at a time but for what it does ``Away``. Else they take Python's own lock
                        from each other at each call of the system, which costs more than a small file does.
    :raises BaseException: The first error of reading or work.
    """
    lock, errors, ended = Lock(), list[BaseException](), list[None]()

    def worker() -> None:
        _turn.lock = lock if turns else None
        try:
            while not errors:
                _do_next(things, work, lock, turns=turns)
        except StopIteration:
            return
        except BaseException as error:  # noqa: BLE001 - raised by the caller's thread
            errors.append(error)
            stop()
        finally:
            ended.append(None)

    threads = [Thread(target=worker, daemon=True) for _ in range(concurrency)]
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
