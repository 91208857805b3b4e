"""
Many files under way in few threads: a file that waits for an answer is a generator, and holds no thread.

Threads take turns, so that one computes at a time: else each system call passes Python's own lock between them, which
costs more than a small file. One thread also has the watch: it begins the next items, and looks for answers that have
come. It leaves the watch to another thread while it works away on one item, such as the bytes of a large file, and then
works on that item alone.
"""

from __future__ import annotations

import select
import time
from collections.abc import Generator
from threading import Lock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from presign_siblings.manifests.workers import Crew, held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
MILLISECONDS = 1000


class Waited(Protocol):
    """
    What an item waits for.

    :param due: When the wait ends, on the monotonic clock.
    """

    due: float

    def fileno(self) -> int:
        """Return the descriptor that can be read when something has come."""

    def has_come(self) -> bool:
        """Take what has arrived, without a wait; return whether the item may continue."""


Steps = Generator[Waited, None, T]
"""Work that yields what it waits for; continued too early, it waits by itself."""


def at_once(steps: Steps[T]) -> T:
    """Do the work in this thread, waits included."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found: T = end.value
        return found


def wait_for(descriptor: int, seconds: float, *, to_write: bool = False) -> bool:
    """Wait until a socket can be read, or written; return whether it can."""
    if not hasattr(select, "poll"):  # Windows, whose select takes any number of a socket
        some = [descriptor]
        ready = select.select([] if to_write else some, some if to_write else [], [], seconds)
        return any(ready)
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if to_write else select.POLLIN)
    return bool(poll.poll(seconds * MILLISECONDS))


class _Select:
    """``select.poll`` where the system has only ``select``."""

    def __init__(self) -> None:
        self._descriptors = set[int]()

    def register(self, descriptor: int, _: int) -> None:
        self._descriptors.add(descriptor)

    def unregister(self, descriptor: int) -> None:
        self._descriptors.remove(descriptor)

    def poll(self, milliseconds: float) -> Sequence[tuple[int, int]]:
        ready, _, _ = select.select(list(self._descriptors), [], [], milliseconds / MILLISECONDS)
        return [(each, 0) for each in ready]


class Turns(Generic[T]):
    """
    Work on a stream of items.

    :param things:      The items, taken in their order.
    :param work:        The work on one item.
    :param concurrency: Items under way at once, and threads.
    """

    def __init__(self, things: Iterator[T], work: Callable[[T], Steps[None]], concurrency: int) -> None:
        self._things, self._work, self._concurrency = things, work, concurrency
        self._turn, self._watch = Lock(), Lock()
        self._waiting: dict[int, tuple[Steps[None], Waited]] = {}  # by descriptor, the longest wait first
        self._ready: list[Steps[None]] = []
        self._at_work, self._idle = 0, 1  # threads: changed by the thread that has the turn
        self._poll = select.poll() if hasattr(select, "poll") else _Select()

    def run(self, stop: Callable[[], None]) -> None:
        """
        Work on all items.

        :param stop: Called when one fails, or the caller is interrupted: ends what the others wait for.
        :raises BaseException: The first error.
        """
        crew = Crew(lambda: self._take_turns(crew), stop)
        crew.run(1)

    def _take_turns(self, crew: Crew) -> None:
        more = True
        while more:
            self._watch.acquire()
            self._turn.acquire()
            self._idle -= 1
            held.turn, held.watch = self._turn, self._watch
            try:
                if not self._idle and len(crew) < self._concurrency:
                    self._idle += crew.add()  # it has the watch as soon as this one is away
                while more and held.watch is not None:
                    more = self._one(crew.errors)
                self._idle += more
            finally:
                if held.watch is not None:
                    self._watch.release()
                self._turn.release()
                held.turn = held.watch = None

    def _one(self, errors: list[BaseException]) -> bool:
        """Continue with one item; return whether there was one."""
        if self._ready:
            self._continue(self._ready.pop())
            return True
        if not errors and len(self._waiting) + self._at_work < self._concurrency:
            for thing in self._things:
                self._continue(self._work(thing))
                return True
        if self._waiting:
            self._wait()
            return True
        return False

    def _continue(self, steps: Steps[None]) -> None:
        self._at_work += 1
        try:
            for waited in steps:
                if held.watch is not None:
                    self._waiting[waited.fileno()] = steps, waited
                    self._poll.register(waited.fileno(), 1)
                    return
        finally:
            self._at_work -= 1

    def _wait(self) -> None:
        """Wait until an answer comes, or the longest wait is over."""
        seconds = next(iter(self._waiting.values()))[1].due - time.monotonic()
        for descriptor in self._polled(max(0.0, seconds)):
            steps, waited = self._waiting[descriptor]
            if waited.has_come():
                self._leave(descriptor, steps)
        for descriptor, (steps, waited) in list(self._waiting.items())[:1]:
            if waited.due <= time.monotonic():
                self._leave(descriptor, steps)

    def _polled(self, seconds: float) -> list[int]:
        """Return descriptors that can be read; a thread that comes back for a turn in between gets it."""
        if not self._at_work:
            return [descriptor for descriptor, _ in self._poll.poll(seconds * MILLISECONDS)]
        held.turn = None
        self._turn.release()
        try:
            return [descriptor for descriptor, _ in self._poll.poll(seconds * MILLISECONDS)]
        finally:
            self._turn.acquire()
            held.turn = self._turn

    def _leave(self, descriptor: int, steps: Steps[None]) -> None:
        del self._waiting[descriptor]
        self._poll.unregister(descriptor)
        self._ready.append(steps)
