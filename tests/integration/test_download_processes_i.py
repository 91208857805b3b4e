"""A download in several processes: one result, one exit code, and no process that outlives the first."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from presign_siblings.cli import download as command
from presign_siblings.cli.main import main
from presign_siblings.manifests.download_processes import FILES, MOST, THREADS, how_many
from presign_siblings.manifests.safe_folder import Folder, Place
from tests.web import Answer, Web

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a download is one process")
COUNT = 40


@pytest.fixture(autouse=True)
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share each download between two processes, whatever the number of cores."""
    monkeypatch.setattr(command, "how_many", lambda *_: 2)


def written(folder: Path, urls: dict[str, str]) -> list[str]:
    """Write a manifest; return the arguments that download it."""
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps({"key": key, "url": urls[key]}) + "\n" for key in sorted(urls)))
    return ["download", str(manifest), str(folder / "to"), "--json"]


def served(web: Web) -> dict[str, str]:
    """Serve some files."""
    return {f"{at % 3}/{at}.pdf": web.serve(f"/{at}", Answer(b"%d" % at)) for at in range(COUNT)}


def names(folder: Path) -> set[str]:
    """Return the names of the files in the folder, also while some come and go."""
    to = folder / "to"
    return {(Path(place) / name).relative_to(to).as_posix() for place, _, found in os.walk(to) for name in found}


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of the folder, once the download has ended."""
    return {name: (folder / "to" / name).read_bytes() for name in names(folder)}


def children(parent: int) -> list[int]:
    """Return the ids of a process's children."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


def test_each_file_comes_once_and_the_counts_are_summed(web: Web, tmp_path: Path) -> None:
    """Whichever process fetched it; a dead link is named, and the exit code says that files are missing."""
    urls = served(web)
    called = CliRunner().invoke(main, written(tmp_path, urls | {"x.pdf": web.serve("/x", Answer(status=403))}))
    assert called.exit_code == 3
    result = json.loads(called.stdout)
    assert (result["fetched"], result["failed"]) == (COUNT, 1)
    assert result["bytes"] == sum(len(body) for body in files(tmp_path).values())
    assert [failure["key"] for failure in result["failures"]] == ["x.pdf"]
    assert files(tmp_path) == {f"{at % 3}/{at}.pdf": b"%d" % at for at in range(COUNT)}
    assert len(web.asked) == COUNT + 1
    again = CliRunner().invoke(main, written(tmp_path, urls))
    assert (again.exit_code, json.loads(again.stdout)["kept"]) == (0, COUNT)


@pytest.mark.parametrize("most", [1, 0])
def test_the_files_are_shared_by_as_many_processes_as_the_system_starts(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """A container's limit may allow few."""
    fork, begun = os.fork, list[None]()

    def limited() -> int:
        begun.append(None)
        if len(begun) > most:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    monkeypatch.setattr(os, "fork", limited)
    called = CliRunner().invoke(main, written(tmp_path, served(web)))
    if most:
        assert (called.exit_code, len(files(tmp_path))) == (0, COUNT)
    else:
        assert (called.exit_code, "starts no more threads or processes" in called.stderr) == (1, True)


def test_a_process_that_may_start_no_thread_fetches_its_share(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes may have reached a container's limit; the error was that of a process without memory."""
    start, first = threading.Thread.start, os.getpid()

    def limited(thread: threading.Thread) -> None:
        if os.getpid() != first:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    called = CliRunner().invoke(main, written(tmp_path, served(web)))
    assert (called.exit_code, len(files(tmp_path))) == (0, COUNT), called.output


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.ESTALE, errno.ENOTCONN])
def test_an_error_in_one_process_ends_all(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A full disk or a stale network share is reported with the file, as by one process."""

    def full(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    arguments = written(tmp_path, served(web))
    monkeypatch.setattr("presign_siblings.manifests.part_file.PartFile.take", full)
    called = CliRunner().invoke(main, arguments)
    assert called.exit_code == 1
    assert os.strerror(number) in called.output
    assert ".pdf" in called.output


def test_a_folder_that_is_removed_during_the_download_ends_all(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of ten million files failed by itself, and no message named the missing folder."""
    place = Folder.place

    def removed(folder: Folder, segments: tuple[str, ...]) -> Place:
        shutil.rmtree(folder.path, ignore_errors=True)
        return place(folder, segments)

    monkeypatch.setattr(Folder, "place", removed)
    called = CliRunner().invoke(main, written(tmp_path, served(web)))
    assert called.exit_code == 1
    assert json.loads(called.stderr)["error"] == f"{tmp_path / 'to'} was removed while files came into it"


def test_lines_that_have_to_be_sorted_are_shared_too(web: Web, tmp_path: Path) -> None:
    """They lie in unnamed files, which each process reads at an offset of its own."""
    arguments = written(tmp_path, served(web))
    manifest = Path(arguments[1])
    manifest.write_text("".join(sorted(manifest.read_text().splitlines(keepends=True), reverse=True)))
    called = CliRunner().invoke(main, arguments)
    assert (called.exit_code, json.loads(called.stdout)["fetched"]) == (0, COUNT)
    assert len(files(tmp_path)) == COUNT


def test_the_files_of_a_thousand_manifests_are_shared(web: Web, tmp_path: Path) -> None:
    """All of them are open: ``select`` fails from descriptor 1,024 on."""
    manifests = []
    for number, (key, url) in enumerate(sorted(served(web).items()) * 30):
        manifests.append(tmp_path / f"{number}.jsonl")
        manifests[-1].write_text(json.dumps({"key": f"{number:04d}/{key}", "url": url}) + "\n")
    called = CliRunner().invoke(main, ["download", *map(str, manifests), str(tmp_path / "to"), "--json"])
    assert (called.exit_code, len(files(tmp_path))) == (0, 30 * COUNT), called.output


@pytest.mark.parametrize(
    ("end", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGKILL, 1)]
)
def test_no_process_outlives_the_download(web: Web, tmp_path: Path, end: signal.Signals, code: int) -> None:
    """
    Ctrl-C, a terminal that closes and ``timeout`` reach all of them: the first ends the others, and no partial file is
    left. The death of one is reported, and ends the others.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"http://127.0.0.1:{silent.getsockname()[1]}"
        arguments = written(
            tmp_path, served(web) | {f"x/{at}.pdf": f"{place}/{at}?X-Amz-Signature=0" for at in range(20)}
        )
        run = "from presign_siblings.cli import download, main; download.how_many = lambda *_: 2; main.main()"
        with subprocess.Popen([sys.executable, "-c", run, *arguments], stderr=subprocess.PIPE, text=True) as first:
            while sum(name.endswith(".pdf") for name in names(tmp_path)) < COUNT and first.poll() is None:
                time.sleep(0.01)
            copies = children(first.pid)
            for pid in copies[:1] if end == signal.SIGKILL else (*copies, first.pid):
                os.kill(pid, end)
                time.sleep(0.2)
            _, stderr = first.communicate(timeout=60)
    assert (first.returncode, len(copies)) == (code, 2), stderr
    assert ("a process of the download ended unexpectedly" in stderr) == (end == signal.SIGKILL)
    assert not any(Path(f"/proc/{pid}").exists() for pid in copies)
    left = [name for name in names(tmp_path) if not name.endswith(".pdf")]
    assert not left or end == signal.SIGKILL
    assert "Traceback" not in stderr


def test_a_download_has_as_many_processes_as_it_has_work_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One core, few files or a low --parallel mean one process."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert how_many(10**9, 256) == MOST
    assert how_many(10**9, 2 * THREADS) == 2
    assert how_many(2 * FILES, 256) == 2
    assert how_many(1, 16) == how_many(10**9, 1) == 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert how_many(10**9, 256) == 1
