"""What can go wrong in the command line, sorted by the exit code that a script sees."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Disks that take no more files: full, read-only, broken, or a share whose server is gone or has forgotten it.
OF_DISKS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTCONN})

NO_THREADS = (
    "this system starts no more threads or processes: raise ulimit -u, or the container's limit of processes (pids)"
)

NO_MEMORY = "this process has no memory left: lower --parallel, --concurrency or --processes, or raise ulimit -v"

DONE = 0
FAILED = 1
USAGE = 2
UNTRUE = 3
NOT_FOUND = 4
UNFINISHED = 5
TIMED_OUT = 6
STOPPED = 130  # 128 + SIGINT, as shells have it

EXIT_CODES = {
    DONE: "done; every check passed",
    FAILED: "the job failed, AWS refused a request, or a file could not be read or written",
    USAGE: "an argument or a field of the job breaks its rule; nothing was read or written",
    UNTRUE: "a check of the manifest failed, it holds no key or a link that gives nothing, or a file did not come",
    NOT_FOUND: "no such function, stack, table, job or manifest",
    UNFINISHED: "not finished, and can continue: parked, under way, or with a checkpoint",
    TIMED_OUT: "the wait ended before the job did; the job continues",
    STOPPED: "stopped by Ctrl-C; `run` leaves a checkpoint",
}


class CommandError(Exception):
    """The root of these errors; the message is for the operator, and holds no URL."""

    exit_code = FAILED


class WrongUseError(CommandError):
    """An argument breaks its rule."""

    exit_code = USAGE


class NotFoundError(CommandError):
    """The function, stack, table, job or manifest does not exist."""

    exit_code = NOT_FOUND


class EmptyError(CommandError):
    """A manifest unexpectedly holds no key, or none that was asked for."""

    exit_code = UNTRUE


class UnfinishedError(CommandError):
    """The job is not finished, and can continue."""

    exit_code = UNFINISHED


class TimedOutError(CommandError):
    """The wait ended before the job did."""

    exit_code = TIMED_OUT


@contextmanager
def naming(place: object) -> Iterator[None]:
    """Add the file to an error of the operating system: a failed write to an open file does not name it."""
    try:
        yield
    except OSError as error:
        if error.errno not in OF_DISKS | {errno.EFBIG} or str(error.filename or "").startswith("/"):
            raise
        raise OSError(error.errno, error.strerror, str(place)) from error


def is_no_thread(error: BaseException) -> bool:
    """
    Return whether the system refuses to start a thread or a process.

    For a thread, Python raises a RuntimeError that only its text identifies; for a process, a fork fails with EAGAIN.
    """
    return isinstance(error, BlockingIOError) or (isinstance(error, RuntimeError) and "start new thread" in str(error))
