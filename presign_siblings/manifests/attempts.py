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

    :raises FetchError: The last fault.
    """
    for number in range(ATTEMPTS):
        try:
            return (yield from attempt())
        except FetchError as error:
            if not error.passing or number == ATTEMPTS - 1:
                raise
            with Away():
                sleep(max(FIRST_WAIT_SECONDS * 2**number, min(error.after, MOST_SECONDS)))
    raise AssertionError("unreachable")
