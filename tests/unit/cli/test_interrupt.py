"""Signals end a run at its next page, with or without a terminal."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import signal
import subprocess
import sys
import termios
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from dev.checkout import REPOSITORY
from presign_siblings.cli import interrupt
from presign_siblings.cli.interrupt import StopRequest
from presign_siblings.cli.main import main
from presign_siblings.cli.usage import shared
from presign_siblings.errors import STOPPED
from presign_siblings.manifests.download import Download
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.safe_folder import Folder
from presign_siblings.manifests.url_checks import Answers
from presign_siblings.manifests.verify import verify
from tests.manifest_lines import line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import ReadableBuffer

FULL = 60_000  # bytes in a pipe, which takes 65,536


def _gone(_: str) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_stop_request_even_without_its_terminal(number: signal.Signals) -> None:
    """A broken connection sends SIGHUP, and printing then fails."""
    request = StopRequest(_gone)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with request.handling_signals():
            os.kill(os.getpid(), number)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert request.code == 128 + number


@pytest.mark.parametrize(("first", "second"), [("SIGHUP", "SIGHUP"), ("SIGTERM", "SIGTERM"), ("SIGTERM", "SIGHUP")])
def test_a_terminal_that_closes_is_one_stop_request_although_its_shell_sends_the_signal_again(
    first: str, second: str
) -> None:
    """The run stopped at once, and lost all since its last checkpoint; ``timeout`` and systemd did the same."""
    request = StopRequest(_gone)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with request.handling_signals():
            os.kill(os.getpid(), signal.Signals[first])
            os.kill(os.getpid(), signal.Signals[second])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert request.code == 128 + signal.Signals[first]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_sent_again_later_stops_at_once(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """A second Ctrl-C does so even within the moment in which other signals count as one."""
    request = StopRequest(_gone)
    with request.handling_signals(), pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the first raises nothing
        os.kill(os.getpid(), number)
        if number != signal.SIGINT:
            monkeypatch.setattr(request, "came", request.came - interrupt.ECHO_SECONDS)
        os.kill(os.getpid(), number)


class _Interrupted(io.RawIOBase):
    """A stream whose first write raises Ctrl-C, as on a terminal that accepts nothing for a while."""

    def __init__(self) -> None:
        self._first = True

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        if self._first:
            self._first = False
            os.kill(os.getpid(), signal.SIGINT)
        return memoryview(data).nbytes


def interrupted(read: list[int]) -> Iterator[bytes]:
    """Yield many lines, slowly, with Ctrl-C at the fourth."""
    for number in range(1000):
        read.append(number)
        if number == 3:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.001)
        yield line(f"{number:04}.pdf")


def test_ctrl_c_ends_a_verification_before_the_last_line() -> None:
    """For a million lines, the end came 20 s later."""
    read = list[int]()
    with Fetcher(concurrency=2) as fetcher, pytest.raises(KeyboardInterrupt):
        verify(interrupted(read), Answers(fetcher, None, None), datetime.now(UTC), sample=5, concurrency=2)
    assert len(read) < 1000


def test_ctrl_c_ends_a_download_that_searches_for_its_next_key(tmp_path: Path) -> None:
    """As with an --include that few keys match."""
    read = list[int]()
    with Folder(tmp_path / "to") as into, Fetcher(concurrency=2) as fetcher, pytest.raises(KeyboardInterrupt):
        Download(into, fetcher, take=lambda _: False).run(map(Entry.parse, interrupted(read)), 2)
    assert len(read) < 1000


def test_ctrl_c_while_a_line_is_written_is_a_stop_request_too() -> None:
    """Python refuses a second write into a stream that is writing."""
    stream = io.TextIOWrapper(io.BufferedWriter(_Interrupted()))
    request = StopRequest(lambda text: print(text, file=stream, flush=True))
    with request.handling_signals():
        print("not signed: a.pdf", file=stream, flush=True)
    assert request.code == STOPPED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_kill_leaves_no_copy_of_the_links(tmp_path: Path, number: signal.Signals) -> None:
    """A pipe is first copied into a temporary file, whose links would outlive the kill."""
    command = [sys.executable, "-m", "presign_siblings", "refresh", "-", "--to", str(tmp_path / "new.jsonl")]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as refresh:
        assert refresh.stdin is not None
        assert refresh.stderr is not None
        refresh.stdin.write(line("a.pdf"))
        refresh.stdin.flush()
        while not [*tmp_path.glob("presign-siblings-*")]:  # not the file by which Python tries the folder
            time.sleep(0.01)
        refresh.send_signal(number)
        assert refresh.stderr.read() == b"presign-siblings: stopped\n"
    left = b"".join(each.read_bytes() for each in tmp_path.iterdir())  # a signal may come before it holds any
    assert (refresh.returncode, left) == (128 + number, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_ends_although_nothing_reads_its_output(tmp_path: Path, number: signal.Signals) -> None:
    """As behind a pager that waits: what is still to be written would keep the process."""
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_bytes(b"".join(line(f"{each}.pdf") for each in range(5_000)))
    command = [sys.executable, "-m", "presign_siblings", "export", str(manifest)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as export:
        assert export.stdout is not None
        while int.from_bytes(fcntl.ioctl(export.stdout, termios.FIONREAD, bytes(4)), sys.byteorder) < FULL:
            time.sleep(0.01)
        export.send_signal(number)
        assert export.wait(timeout=10) == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_the_parent_process_ignores_stops_no_run(number: signal.Signals) -> None:
    """``nohup`` ignores SIGHUP; a shell script ignores SIGINT for what it starts with ``&``."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with StopRequest(_gone).handling_signals():
            assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_while_the_modules_load_ends_as_at_any_other_moment(
    monkeypatch: pytest.MonkeyPatch, *, as_json: bool
) -> None:
    """Within the first half second click printed an abort, with exit code 1."""

    def load(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shared, "import_module", load)
    result = CliRunner().invoke(main, ["ls", "s3://reports/", *["--json"] * as_json])
    assert result.exit_code == STOPPED
    assert "stopped" in result.stderr
    assert "Aborted" not in result.stderr
