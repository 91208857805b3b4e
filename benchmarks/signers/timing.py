"""Signing alone: the same batches for each signer, repeated until the clock can be trusted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.dataset import PAGE, wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.work import Work

_LEAST_SECONDS = 0.5


def timed(work: Work, sign_all: Callable[[list[list[str]]], int]) -> dict[str, float]:
    """
    Time one signer over the keys of a prefix, in batches of a page.

    :param sign_all: Signs all batches and returns the number of URLs.
    :return: ``signed``, ``seconds`` and ``cpu_seconds``, over as many rounds as half a second takes; one at least.
    :raises ValueError: A round signed another number of keys than it was given.
    """
    keys = wanted(work.prefix)
    batches = [keys[start : start + PAGE] for start in range(0, len(keys), PAGE)]
    rounds, cpu, begun = 0, time.process_time(), time.perf_counter()
    while (seconds := time.perf_counter() - begun) < _LEAST_SECONDS:
        if (signed := sign_all(batches)) != len(keys):
            raise ValueError(f"signed {signed} of {len(keys)} keys")
        rounds += 1
    return {"signed": rounds * len(keys), "seconds": seconds, "cpu_seconds": time.process_time() - cpu}
