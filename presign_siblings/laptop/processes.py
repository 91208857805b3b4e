"""Processes of this machine that take the ranges of a run; they end with the process that started them."""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import sys
from collections import deque
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Self, cast

from presign_siblings.errors import NO_THREADS, CommandError
from presign_siblings.laptop.idle import Idle
from presign_siblings.laptop.progress import STOPPED, Progress, TotalProgress
from presign_siblings.laptop.range_worker import DONE, FAILED, LOST, WARM_UP, Ended, work
from processor.errors import RetryableError, TerminalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from presign_siblings.laptop.range_worker import Settings
    from processor.job import SiblingPayload

POLL_SECONDS, LEAVE_SECONDS = 0.2, 5.0
# A forked process starts at once, with all that is loaded; macOS's own libraries do not survive a fork.
METHOD = "fork" if sys.platform == "linux" else "spawn"
UNEVEN = "uneven"  # one process has no work, and another has much
GONE = Ended(LOST, "a process of the run ended unexpectedly, perhaps for lack of memory")


class Processes:
    """
    The processes of a run. Start them before any thread: a forked process has one thread alone.

    :param settings:    What they have in common.
    :param on_progress: Called with the progress of all processes.
    :param stopping:    Whether the operator asked to stop.
    """

    def __init__(
        self, number: int, settings: Settings, on_progress: Callable[[Progress], None], stopping: Callable[[], bool]
    ) -> None:
        self._on_progress, self._stopping = on_progress, stopping
        self._connections, self._processes = list[Connection](), list[Any]()
        atexit.register(self.leave)  # multiprocessing waits at the exit for what it has started
        context: Any = multiprocessing.get_context(METHOD)
        gc.freeze()  # the collector must not touch what the copies share, so that it stays shared
        for _ in range(number):
            ours, theirs = context.Pipe()
            copies = [*self._connections, ours] if METHOD == "fork" else []
            self._processes.append(context.Process(target=work, args=(theirs, copies, settings), daemon=True))
            try:
                self._processes[-1].start()
            except BlockingIOError as error:
                raise CommandError(NO_THREADS) from error
            theirs.close()
            self._connections.append(ours)
        gc.unfreeze()

    def __enter__(self) -> Self:
        """Return the processes, which wait for ranges."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes: a page after their connections are closed, or by force."""
        self.leave()
        for process in self._processes:
            process.join(LEAVE_SECONDS)
            process.kill()
            process.join()
        atexit.unregister(self.leave)

    def warm_up(self) -> None:
        """Let the processes open their clients while this one, which has its own, looks where the keys are."""
        for connection in self._connections:
            _send(connection, WARM_UP)

    def leave(self) -> None:
        """Close the connections, since there are no more ranges; each process ends after its work."""
        for connection in self._connections:
            connection.close()

    def run(self, places: Sequence[SiblingPayload], before: Progress, patience: float) -> str | None:
        """
        Let the processes work on ranges until all are done, or the operator stops the run.

        :param places: Where the ranges begin.
        :param before: What was done before.
        :param patience: Seconds for which a process is out of work before the others stop for it.
        :return: Why some are not done; ``UNEVEN``: one process was out of work, and the rest is to be divided again.
        :raises PresignSiblingsError: A range has failed; the others have saved what they did.
        """
        total, waiting = TotalProgress(self._on_progress, before), deque(places)
        busy, ends = dict[Connection, int](), list[Ended]()
        stopped, idle = None, Idle(len(self._connections), patience)
        for connection in self._connections:
            _give(connection, waiting, busy)
        while busy:
            if stopped is None and (stopped := self._stop(ends, idle.long(busy.values()))) is not None:
                waiting.clear()
                for connection in busy:
                    _send(connection, None)
            seconds = POLL_SECONDS if stopped else min(POLL_SECONDS, idle.left)
            for connection in cast("list[Connection]", wait(list(busy), seconds)):
                message = _heard(connection)
                if isinstance(message, Progress):
                    total.update(busy[connection], message)
                    continue
                ends.append(message)
                del busy[connection]
                if message.how == DONE:
                    _give(connection, waiting, busy)
        reason = _reason(ends)
        return stopped if reason in (None, STOPPED) else reason

    def _stop(self, ends: Sequence[Ended], uneven: bool) -> str | None:  # noqa: FBT001 - there is no other
        """Return why the ranges are to stop, if they are."""
        if self._stopping() or any(end.how != DONE for end in ends):
            return STOPPED
        return UNEVEN if uneven else None


def _give(connection: Connection, waiting: deque[SiblingPayload], busy: dict[Connection, int]) -> None:
    if waiting:
        place = waiting.popleft()
        assert place.share is not None  # noqa: S101 - the place of a range
        busy[connection] = place.share.number
        _send(connection, place.to_payload())


def _send(connection: Connection, message: object) -> None:
    try:
        connection.send(message)
    except OSError:  # the process is gone, as the next read reports
        return


def _heard(connection: Connection) -> Progress | Ended:
    try:
        found: Progress | Ended = connection.recv()
    except (EOFError, OSError):
        return GONE
    return found


def _reason(ends: Sequence[Ended]) -> str | None:
    """
    Return why the ranges that can continue have stopped.

    :raises PresignSiblingsError: One has failed, for good or for now.
    """
    by_how = {end.how: end.why for end in ends}
    if FAILED in by_how:
        raise TerminalError(by_how[FAILED])
    if LOST in by_how:
        raise RetryableError(by_how[LOST])
    reasons = [end.why for end in ends if end.how != DONE]
    return next((why for why in reasons if why != STOPPED), STOPPED) if reasons else None
