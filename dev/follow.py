"""Follow a chain of siblings by the function's log: one JSON object a line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from presign_siblings.remote.logs import instant, is_an_end, structured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from presign_siblings.remote.logs import Tail

LOOK_SECONDS = 0.2
START_SECONDS = 60.0  # for a first line; a function that cannot load its code writes none


class ChainError(RuntimeError):
    """The chain did not come to its end in time."""


def lines(tail: Tail, since: datetime, seconds: float, why: Callable[[], str] = lambda: "") -> Iterator[dict[str, Any]]:
    """
    Yield the structured lines of a job as they arrive in its log group, each once.

    The emulator writes the lines of a sibling when the sibling ends, so an earlier job's may come after the start of
    this one. The job is the one that starts first. After the last line no sibling follows.

    :param tail:    The log group, from before the job began.
    :param since:   When the job began, UTC.
    :param seconds: How long to wait for the end.
    :param why:     Returns what the emulator itself has to say about a job that never starts.
    :raises ChainError: The end did not come; the message holds the last lines that are not JSON, such as a traceback.
    """
    strays: list[str] = []
    job_id = None
    began = time.monotonic()
    started = False
    while time.monotonic() < began + (seconds if started else min(seconds, START_SECONDS)):
        new = tail.messages()
        for message in new:
            line = structured(message)
            if line is None:
                strays.append(message.strip())
                continue
            if (written := instant(line)) is not None and written < since:
                continue
            if job_id is None and line["event"] == "start":
                job_id = line.get("job_id")
            if job_id is not None and line.get("job_id") != job_id:
                continue
            started = True
            yield line
            if is_an_end(line):
                return
        if not new:
            time.sleep(LOOK_SECONDS)
    if not started:
        raise ChainError(f"the job did not start:\n{why()}")
    raise ChainError("\n".join([f"the chain did not end in {seconds:.0f} s; its last other lines:", *strays[-15:]]))
