"""
One large object by several connections: the first brings it from its beginning, the others bring parts from its end.

So one answer is enough where the server knows no ranges, or where the object changes meanwhile: it is whole in itself.
What is there at any moment is a head and a tail, and the note beside the file says where they end and begin.
"""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

SPLIT = 64 << 20  # bytes; a smaller rest comes by one connection
PART = 16 << 20
STREAMS = 8  # of one object


class Slots:
    """
    Connections that may be at work: files come first, and the parts of large ones take what they leave.

    :param number: Of all.
    """

    def __init__(self, number: int) -> None:
        self._free, self._lock = number, Lock()

    def __enter__(self) -> None:
        """Begin a file, whether a slot is free or not."""
        with self._lock:
            self._free -= 1

    def __exit__(self, *_: object) -> None:
        """Give a slot back."""
        with self._lock:
            self._free += 1

    def take(self) -> bool:
        """Take a slot for parts; return whether one was free."""
        with self._lock:
            is_free = self._free > 0
            self._free -= is_free
        return is_free

    @property
    def are_short(self) -> bool:
        """Whether a file has begun that had no slot left."""
        return self._free < 0


class Bring(Protocol):
    """Brings the bytes from a place up to another; says so once they are on their way."""

    def __call__(self, first: int, end: int, on_their_way: Callable[[], None]) -> None:
        """
        Bring them.

        :raises Exception: They did not come, or not all of them.
        """


class Parts:
    """
    The parts of one object, while its first connection brings the head.

    :param head:  Where the first connection begins.
    :param tail:  What lies from here on is there already.
    :param bring: For the other connections.
    :param note:  Notes that what lies before one place, and what lies from another one on, is there.
    """

    def __init__(self, head: int, tail: int, bring: Bring, note: Callable[[int, int], None], slots: Slots) -> None:
        self._bring, self._note, self._slots = bring, note, slots
        self._head, self._front, self._noted = head, head, head
        self._tail, self._limit = tail, tail  # from the limit on somebody else brings what is not there
        self._ended: dict[int, int] = {}
        self._threads, self._lock = list[Thread](), Lock()
        self._knows_ranges = self._is_over = False
        self._error: Exception | None = None
        self.came = 0

    def room(self, count: int) -> int:
        """Return how many of the next bytes the first connection is to write."""
        with self._lock:
            taken = min(count, self._limit - self._head)
            self._front = self._head + taken
        return taken

    def wrote(self, count: int) -> None:
        """Take note of what the first connection has written; let others help it where slots are free."""
        with self._lock:
            self._head += count
            if self._threads and self._head >= self._noted + PART:
                self._write_note()
        helping = sum(thread.is_alive() for thread in self._threads)
        if self._may_grow() and (self._knows_ranges or not self._threads) and helping < STREAMS - 1:
            self._grow()

    def are_done(self) -> bool:
        """
        Wait for the others, once the first connection meets what they bring; return whether nothing is left for it.

        :raises Exception: What kept a part away.
        """
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
        return self._head == self._limit

    def end(self) -> None:
        """Let the others end, and note what is there."""
        self._is_over = True
        for thread in self._threads:
            thread.join()
        with self._lock:
            if self._threads:
                self._write_note()

    @property
    def rest(self) -> int:
        """Where what the others have brought begins."""
        return self._limit

    def _may_grow(self) -> bool:
        return not self._is_over and self._error is None and self._limit >= self._front + 2 * PART

    def _grow(self) -> None:
        if not self._slots.take():
            return
        with self._lock:
            if not self._threads:
                self._write_note()  # before the first byte at the end: the file's size says nothing from then on
        helper = Thread(target=self._help, daemon=True)
        try:
            helper.start()
        except RuntimeError:  # the system starts no more: this one brings it all
            self._slots.__exit__()
            self._is_over = not self._threads
        else:
            self._threads.append(helper)

    def _write_note(self) -> None:
        self._note(self._head, self._tail)
        self._noted = self._head

    def _help(self) -> None:
        try:
            while not self._slots.are_short and (end := self._reserved()) is not None:
                self._bring(end - PART, end, self._found_ranges)
                self._take(end - PART, end)
        except Exception as error:  # noqa: BLE001 - raised by the first connection's thread
            with self._lock:
                if self._knows_ranges:
                    self._error = error
                else:  # the only part that was tried: the first connection brings it with the rest
                    self._limit += PART
                    self._is_over = True
        finally:
            self._slots.__exit__()

    def _reserved(self) -> int | None:
        """Reserve the last part that nobody brings; return where it ends."""
        with self._lock:
            if not self._may_grow():
                return None
            end, self._limit = self._limit, self._limit - PART
        return end

    def _found_ranges(self) -> None:
        self._knows_ranges = True

    def _take(self, first: int, end: int) -> None:
        with self._lock:
            self.came += end - first
            self._ended[end] = first
            while self._tail in self._ended:
                self._tail = self._ended.pop(self._tail)
            self._write_note()
