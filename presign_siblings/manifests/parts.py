"""
One large object by several connections: the first brings it from its beginning, the others bring parts from its end.

So the first answer is enough where the server knows no ranges, or where the object changes: it is whole in itself.
At any moment a head and a tail are stored, and the note beside the file says where they end and begin.
"""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

SPLIT = 64 << 20  # bytes; a smaller rest comes by one connection
PART = 16 << 20
STREAMS = 8  # connections of one object


class Slots:
    """
    Connections that may be at work: files come first, and parts of large files take the free ones.

    :param number: How many.
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
        """Whether a file has begun without a free slot."""
        return self._free < 0


class Bring(Protocol):
    """Brings the bytes of a part; calls ``on_their_way`` once the server sends them."""

    def __call__(self, first: int, end: int, on_their_way: Callable[[], None]) -> None:
        """
        Bring the bytes.

        :raises Exception: Not all of the bytes came.
        """


class Parts:
    """
    The parts of one object, while its first connection brings the head.

    :param head:  Where the first connection begins.
    :param tail:  The bytes from here on are stored already.
    :param bring: Fetches a part by another connection.
    :param note:  Notes that the bytes before one place, and those from another on, are stored.
    """

    def __init__(self, head: int, tail: int, bring: Bring, note: Callable[[int, int], None], slots: Slots) -> None:
        self._bring, self._note, self._slots = bring, note, slots
        self._head, self._front, self._noted = head, head, head
        self._tail, self._limit = tail, tail  # another connection brings what is missing after the limit
        self._ended: dict[int, int] = {}
        self._threads, self._lock = list[Thread](), Lock()
        self._knows_ranges = self._is_over = False
        self._error: Exception | None = None

    def room(self, count: int) -> int:
        """Return how many of the next bytes the first connection is to write."""
        with self._lock:
            taken = min(count, self._limit - self._head)
            self._front = self._head + taken
        return taken

    def wrote(self, count: int) -> None:
        """Count what the first connection has written; let others help where slots are free."""
        with self._lock:
            self._head += count
            if self._threads and self._head >= self._noted + PART:
                self._write_note()
        helping = sum(thread.is_alive() for thread in self._threads)
        if self._may_grow() and (self._knows_ranges or not self._threads) and helping < STREAMS - 1:
            self._grow()

    def are_done(self) -> bool:
        """
        Wait for the others, once the first connection has reached their parts; return whether nothing is left for it.

        :raises Exception: The fault of a part that did not come.
        """
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
        return self._head == self._limit

    def end(self) -> None:
        """Let the others end, and note what is stored."""
        self._is_over = True
        for thread in self._threads:
            thread.join()
        with self._lock:
            if self._threads:
                self._write_note()

    @property
    def rest(self) -> int:
        """Where the bytes of the others begin."""
        return self._limit

    def _may_grow(self) -> bool:
        return not self._is_over and self._error is None and self._limit >= self._front + 2 * PART

    def _grow(self) -> None:
        if not self._slots.take():
            return
        with self._lock:
            if not self._threads:
                self._write_note()  # before the first byte of the tail, after which the file's size shows nothing
        helper = Thread(target=self._help, daemon=True)
        try:
            helper.start()
        except RuntimeError:  # the system allows no more threads: this one brings all
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
        """Reserve the last part that no connection brings; return where it ends."""
        with self._lock:
            if not self._may_grow():
                return None
            end, self._limit = self._limit, self._limit - PART
        return end

    def _found_ranges(self) -> None:
        self._knows_ranges = True

    def _take(self, first: int, end: int) -> None:
        with self._lock:
            self._ended[end] = first
            while self._tail in self._ended:
                self._tail = self._ended.pop(self._tail)
            self._write_note()
