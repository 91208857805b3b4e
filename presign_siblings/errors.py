"""What can go wrong at the desk, sorted by the exit code that a script sees."""

from __future__ import annotations

DONE = 0
FAILED = 1
USAGE = 2
UNTRUE = 3
NOT_FOUND = 4
UNFINISHED = 5
TIMED_OUT = 6
STOPPED = 130  # 128 + SIGINT, as shells have it

EXIT_CODES = {
    DONE: "done; everything that was looked at is true",
    FAILED: "failed: the job ended as failed, AWS refused, or a file could not be read or written",
    USAGE: "an argument, or a field of the job, breaks its rule; nothing was read or written",
    UNTRUE: "the answer is no: a check of the manifest failed, or a download is not there as it should be",
    NOT_FOUND: "no such function, stack, table, job or manifest",
    UNFINISHED: "not finished, and can go on: parked, under way, or with a checkpoint",
    TIMED_OUT: "the wait ended before the job did; the job goes on",
    STOPPED: "stopped by Ctrl-C; `run` leaves a checkpoint",
}


class DeskError(Exception):
    """The root; the message is for the person at the desk, and holds no URL."""

    exit_code = FAILED


class WrongUseError(DeskError):
    """An argument breaks its rule."""

    exit_code = USAGE


class NotFoundError(DeskError):
    """What was named is not there."""

    exit_code = NOT_FOUND


class UnfinishedError(DeskError):
    """It is not finished, and can go on."""

    exit_code = UNFINISHED


class TimedOutError(DeskError):
    """The wait ended before the job did."""

    exit_code = TIMED_OUT
