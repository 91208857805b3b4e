"""Signals end a run at its next page, whoever is there to be told."""

from __future__ import annotations

import errno
import io
import os
import signal
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from presign_siblings.cli.interrupt import StopRequest
from presign_siblings.cli.main import main
from presign_siblings.cli.usage import shared
from presign_siblings.errors import STOPPED

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def _gone(_: str) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_wish_even_when_the_terminal_is_gone(number: signal.Signals) -> None:
    """A connection that breaks sends SIGHUP, and whatever is printed then fails."""
    wish = StopRequest(_gone)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with wish.heard():
            os.kill(os.getpid(), number)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert wish.code == 128 + number


class _Interrupted(io.RawIOBase):
    """A stream in whose first write Ctrl-C comes, as on a terminal that takes nothing for a while."""

    def __init__(self) -> None:
        self._first = True

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        if self._first:
            self._first = False
            os.kill(os.getpid(), signal.SIGINT)
        return memoryview(data).nbytes


def test_ctrl_c_while_a_line_is_written_is_a_wish_too() -> None:
    """Python takes no second write into a stream that is writing."""
    stream = io.TextIOWrapper(io.BufferedWriter(_Interrupted()))
    wish = StopRequest(lambda text: print(text, file=stream, flush=True))
    with wish.heard():
        print("not signed: a.pdf", file=stream, flush=True)
    assert wish.code == STOPPED


def test_nohup_lets_a_run_continue() -> None:
    """It has SIGHUP ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest(_gone).heard():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_while_the_modules_are_loaded_ends_as_at_any_other_moment(
    monkeypatch: pytest.MonkeyPatch, *, as_json: bool
) -> None:
    """Within the first half second click called it an abort, with exit code 1."""

    def load(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shared, "import_module", load)
    result = CliRunner().invoke(main, ["ls", "s3://reports/", *["--json"] * as_json])
    assert result.exit_code == STOPPED
    assert "stopped" in result.stderr
    assert "Aborted" not in result.stderr
