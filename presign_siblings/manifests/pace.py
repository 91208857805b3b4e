"""A limit of bytes a second, which all threads share."""

from __future__ import annotations

import re
import time
from threading import Lock

_UNITS = {unit: 1 << 10 * power for power, unit in enumerate("bkmgtp")}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgtp]?)(?:i?b)?", re.IGNORECASE)
PIECES_A_SECOND = 8
LEAST_PIECE = 1 << 10


def rate(written: str) -> float | None:
    """
    Read bytes a second in the form of rclone's ``--bwlimit``: ``10M``, ``512k``, ``1.5G``, ``off``; without a unit KiB.

    :return: ``None`` for no limit.
    :raises ValueError: The text is no such rate.
    """
    if written.strip().lower() in {"off", "0"}:
        return None
    match = _RATE.fullmatch(written.strip())
    found = float(match[1]) * _UNITS[match[2].lower() or "k"] if match else 0.0
    if found < 1:
        raise ValueError("is not a rate such as 10M, 512k or off")
    return found


class Pace:
    """
    A rate that threads share.

    :param bytes_a_second: At least 1.
    """

    def __init__(self, bytes_a_second: float) -> None:
        self._rate, self._lock, self._due = bytes_a_second, Lock(), 0.0
        self.piece = max(LEAST_PIECE, int(bytes_a_second) // PIECES_A_SECOND)

    def spend(self, count: int) -> None:
        """Wait as long as these bytes take at the rate."""
        with self._lock:
            now = time.monotonic()
            self._due = max(self._due, now) + count / self._rate
            wait = self._due - now
        time.sleep(wait)
