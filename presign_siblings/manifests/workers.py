"""Work on a stream of items in threads, which take the next item when they are free: nothing is read ahead."""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


def for_each_concurrently(
    things: Iterator[T], work: Callable[[T], None], concurrency: int, stop: Callable[[], None] = lambda: None
) -> None:
    """
    Call ``work`` for each item, in the order of the stream.

    :param concurrency: Items at once.
    :param stop:        Called when one fails, or the caller is interrupted: ends what the others wait for.
    :raises BaseException: The first error of reading or work.
    """
    lock, errors = Lock(), list[BaseException]()

    def worker() -> None:
        try:
            while not errors:
                with lock:
                    thing = next(things)
                work(thing)
        except StopIteration:
            return
        except BaseException as error:  # noqa: BLE001 - raised by the caller's thread
            errors.append(error)
            stop()

    threads = [Thread(target=worker, daemon=True) for _ in range(concurrency)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException as error:
        errors.insert(0, error)
        stop()
        for thread in threads:
            thread.join()
        raise
    if errors:
        raise errors[0]
