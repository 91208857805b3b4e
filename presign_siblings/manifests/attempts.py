"""Several attempts at one thing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from presign_siblings.manifests.requests import FetchError
from presign_siblings.manifests.workers import Away

if TYPE_CHECKING:
    from collections.abc import Callable

    from presign_siblings.manifests.turns import Steps

T = TypeVar("T")
ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.5
MOST_SECONDS = 10  # longest Retry-After that is obeyed: Ctrl-C waits for it too


def again(attempt: Callable[[], Steps[T]], sleep: Callable[[float], object] = time.sleep) -> Steps[T]:
    """
    Try several times while the fault may pass, after a growing wait or the one that the store asks for.

    A try that began further on than all before it is counted as the first: some networks break each connection after a
    few megabytes.

    :raises FetchError: The last fault.
    """
    number = most = 0
    while True:
        try:
            return (yield from attempt())
        except FetchError as error:
            if error.begun > most:
                number, most = 0, error.begun
            number += 1
            if not error.passing or number == ATTEMPTS:
                raise
            with Away():
                sleep(max(FIRST_WAIT_SECONDS * 2 ** (number - 1), min(error.after, MOST_SECONDS)))
