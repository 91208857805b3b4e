"""
A download in copies of this process, which take the lines of one manifest in turns: Python computes on one core alone.

Each copy reads the whole manifest, since the name of a file depends on the keys before it, and fetches its own lines:
the next number in a pipe says which. The copies end with the process that started them.

The copies are made by ``os.fork`` itself: ``multiprocessing`` takes 10 ms to import, a seventh of a small download. A
run uses it: AWS's clients take longer to load, and a run starts processes on macOS too.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from presign_siblings.errors import STOPPED, CommandError
from presign_siblings.manifests.downloaded import COUNTS, Downloaded
from presign_siblings.manifests.turns import MILLISECONDS, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.manifests.download import Download, Named

MOST = 8
THREADS = 4  # for each process at least
FILES = 8  # for each process at least
SHARES = 4096  # numbers of four bytes, which a pipe holds
NUMBER_BYTES = 4
POLL_SECONDS = 0.1
_ERROR = b"error"  # before a pickled error, instead of the counts
_GONE = "a process of the download ended unexpectedly, perhaps for lack of memory: run the same command again"


def how_many(files: int, parallel: int) -> int:
    """
    Return how many processes a download is worth; 1 where they cannot be copied.

    :param files:    In the manifest.
    :param parallel: Files at once.
    """
    if not sys.platform.startswith("linux"):
        return 1  # macOS's own libraries do not survive a fork
    return max(1, min(len(os.sched_getaffinity(0)), MOST, parallel // THREADS, files // FILES))


class Processes:
    """
    The copies of this process. Start them before any thread: a copy has one thread alone.

    :param download:    The work of each copy.
    :param entries:     Files that were not begun yet; each copy reads them from a place of its own.
    :param files:       How many there are.
    :param concurrency: Files at once, in all copies together.
    """

    def __init__(self, download: Download, entries: Iterator[Named], files: int, concurrency: int, number: int) -> None:
        shares, life = _shares(files), os.pipe()
        self._life = life[1]
        self._counts = memoryview(mmap.mmap(-1, 8 * len(COUNTS) * number)).cast("q")
        self._answers: dict[int, tuple[int, BinaryIO]] = {}
        lines = -(-files // SHARES) or 1
        for each in range(number):
            threads = concurrency // number + (each < concurrency % number)
            answers, answer = os.pipe()
            child = self._copied()
            if child is None:
                os.close(answers)
                os.close(answer)
                break  # the others take all the shares
            if not child:
                os.close(self._life)
                mine = replace(download, on_progress=self._counter(each))
                _work(answer, life[0], lambda: mine.fetch(_share(entries, shares, lines), threads))  # noqa: B023 - now
            os.close(answer)
            self._answers[answers] = child, os.fdopen(answers, "rb")
        os.close(shares)
        os.close(life[0])

    def _copied(self) -> int | None:
        """
        Copy this process; return 0 in the copy, and ``None`` where the system allows no further copy.

        :raises OSError: The system allows no copy at all.
        """
        try:
            return os.fork()
        except OSError:
            if not self._answers:
                raise
            return None

    def _counter(self, number: int) -> Callable[[Downloaded], None]:
        """Return the function by which a copy reports its progress."""
        counts, first = self._counts, number * len(COUNTS)

        def report(so_far: Downloaded) -> None:
            for at, name in enumerate(COUNTS, first):
                counts[at] = getattr(so_far, name)

        return report

    def wait(self, on_progress: Callable[[Downloaded], None]) -> Downloaded:
        """
        Wait until all is done; when one fails, or the caller is interrupted, the others stop.

        :param on_progress: Called now and then with the progress of all copies.
        :raises CommandError: A copy has ended without an answer.
        """
        done, poll = Downloaded(), select.poll()
        for answers in self._answers:
            poll.register(answers, select.POLLIN)
        try:
            while self._answers:
                for ready, _ in poll.poll(POLL_SECONDS * MILLISECONDS):
                    poll.unregister(ready)
                    done.add(self._answer(ready))
                on_progress(self._so_far())
        finally:
            os.close(self._life)
            for child, file in self._answers.values():
                file.close()
                os.waitpid(child, 0)
        return done

    def _answer(self, ready: int) -> Downloaded:
        child, answers = self._answers.pop(ready)
        with answers:
            came = answers.read()
        os.waitpid(child, 0)
        if not came:
            raise CommandError(_GONE)
        if came.startswith(_ERROR):
            import pickle  # noqa: PLC0415 - for errors alone, which come from a copy of this process

            raise pickle.loads(came.removeprefix(_ERROR))  # noqa: S301 - as above
        return Downloaded.read(came)

    def _so_far(self) -> Downloaded:
        done = Downloaded()
        for at, name in enumerate(COUNTS):
            setattr(done, name, sum(self._counts[at :: len(COUNTS)]))
        return done


def _shares(files: int) -> int:
    """Return a pipe with the numbers of the shares, each of which one process reads."""
    shares, end = os.pipe()
    os.write(end, b"".join(number.to_bytes(NUMBER_BYTES, "big") for number in range(min(files, SHARES))))
    os.close(end)
    return shares


def _share(entries: Iterator[Named], shares: int, lines: int) -> Iterator[Named]:
    """
    Yield the lines of one copy.

    :param shares: The pipe with the numbers of the shares.
    :param lines:  Lines of each share.
    """
    taken = -1
    for at, each in enumerate(entries):
        if at // lines > taken:
            came = os.read(shares, NUMBER_BYTES)
            if not came:
                return
            taken = int.from_bytes(came, "big")
        if at // lines == taken:
            yield each


def _work(answers: int, life: int, work: Callable[[], Downloaded]) -> NoReturn:
    """Do the work of a copy, report its result, and exit; exit early when the first process ends."""
    code = STOPPED

    def end_with_the_first(*_: object) -> None:
        if wait_for(life, 0):
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    try:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # these mostly reach all processes: the first stops the others
        signal.signal(signal.SIGALRM, end_with_the_first)  # a signal, since the system may allow no more threads
        signal.setitimer(signal.ITIMER_REAL, POLL_SECONDS, POLL_SECONDS)
        result = _result(work)
        with suppress(BrokenPipeError), os.fdopen(answers, "wb") as file:
            file.write(result)
        code = 0
    finally:
        os._exit(code)


def _result(work: Callable[[], Downloaded]) -> bytes:
    try:
        return work().written()
    except Exception as error:  # noqa: BLE001 - raised by the first process
        import pickle  # noqa: PLC0415 - as above

        return _ERROR + pickle.dumps(error)
