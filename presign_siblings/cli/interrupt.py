"""What signals do: they end a command as Ctrl-C does; the first stops a run at its next page, the second at once."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from presign_siblings.errors import STOPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

# When a terminal closes, the kernel and the shell both send SIGHUP; ``timeout`` sends SIGTERM twice, and systemd sends
# SIGHUP right after it.
ECHO_SECONDS = 1.0


class Ended(KeyboardInterrupt):
    """
    A signal ends the command.

    :ivar code: Exit code of the signal, as shells have it.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.code = _code(number)


@contextmanager
def ending() -> Iterator[None]:
    """
    Let SIGTERM, and SIGHUP of a terminal that closes, end the block as Ctrl-C does: else temporary files would stay.

    A signal that the parent process ignores or handles, as with ``nohup``, stays as it is.
    """
    numbers = [signal.SIGTERM, signal.SIGHUP] if threading.current_thread() is threading.main_thread() else []
    with _handling([number for number in numbers if signal.getsignal(number) == signal.SIG_DFL], _end):
        yield


@contextmanager
def _handling(numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle signals while the block runs."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _end(number: int, _frame: FrameType | None) -> None:
    raise Ended(number)


def _code(number: int) -> int:
    return STOPPED - signal.SIGINT + number


@dataclass(slots=True)
class StopRequest:
    """
    A request to stop: by Ctrl-C, by SIGTERM, or by a terminal that closes (SIGHUP).

    :param code: Exit code of the signal.
    :param came: When it came, on the monotonic clock.
    """

    note: Callable[[str], None]
    code: int = 0
    came: float = 0.0

    def __bool__(self) -> bool:
        """Whether a signal has come."""
        return self.code != 0

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Note the first signal; end the work at once at the second, unless it comes of the same cause."""
        if self and number != signal.SIGINT and time.monotonic() < self.came + ECHO_SECONDS:
            return
        if self:
            raise KeyboardInterrupt
        self.code, self.came = _code(number), time.monotonic()
        with suppress(OSError, RuntimeError):  # the terminal is gone, or is printing another line
            self.note("stopping at the next page; a second Ctrl-C stops at once, and keeps the last checkpoint")

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """
        Handle the signals while the block runs.

        One that the parent process ignores stays so: SIGHUP under ``nohup``, SIGINT in a script's background.
        """
        signals = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
        with _handling([each for each in signals if signal.getsignal(each) != signal.SIG_IGN], self.on_signal):
            yield
