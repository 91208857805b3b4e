"""A large object comes by several connections, arrives whole, and continues after a kill."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from unittest.mock import MagicMock

import pytest
from click.testing import CliRunner

from dev.checkout import REPOSITORY
from presign_siblings.cli.main import main
from presign_siblings.manifests import parts
from presign_siblings.manifests.download import Download
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.part_file import PartFile
from presign_siblings.manifests.safe_folder import Folder
from tests.web import Answer, Web

if TYPE_CHECKING:
    from pathlib import Path

PART = 1 << 20
SIZE = 12 * PART + 77
BODY = b"".join(b"%016d" % number for number in range(SIZE // 16 + 1))[:SIZE]
ETAG = "0123456789abcdef0123456789abcdef-3"
OF_PARTS = {"ETag": f'"{ETAG}"'}  # no checksum: each byte must be right without one
PAUSE = 0.02


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat objects of a few megabytes as large."""
    monkeypatch.setattr(parts, "SPLIT", 2 * PART)
    monkeypatch.setattr(parts, "PART", PART)


def written(folder: Path, *urls: str) -> list[str]:
    """Write a manifest; return the arguments that download it."""
    manifest = folder / "m.jsonl"
    manifest.write_text("".join(json.dumps({"key": f"{at}", "url": url}) + "\n" for at, url in enumerate(urls)))
    return ["download", str(manifest), str(folder / "to"), "--json"]


def download(folder: Path, *urls: str, code: int = 0, options: tuple[str, ...] = ()) -> dict[str, int]:
    """Download; return the result."""
    called = CliRunner().invoke(main, [*written(folder, *urls), *options])
    assert called.exit_code == code, called.output
    result: dict[str, int] = json.loads(called.stdout)
    return result


def found_files(folder: Path) -> list[bytes]:
    """Return the files of the target folder, whole or not."""
    return [path.read_bytes() for path in sorted((folder / "to").iterdir())]


def asked(web: Web) -> list[tuple[int, int | None]]:
    """Return the ranges that were requested."""
    found = [re.fullmatch(r"bytes=(\d+)-(\d*)", each) for _, each in web.asked if each]
    return [(int(each[1]), int(each[2]) + 1 if each[2] else None) for each in found if each]


@pytest.mark.parametrize("headers", [OF_PARTS, {}], ids=["no checksum", "an MD5"])
def test_parts_are_fetched_beside_the_first_connection(web: Web, tmp_path: Path, headers: dict[str, str]) -> None:
    """Each byte comes once, except those under way when the first connection reached the others' parts."""
    result = download(tmp_path, web.serve("/a", Answer(BODY, headers=headers, pause=PAUSE)))
    assert (result["fetched"], result["bytes"]) == (1, SIZE)
    assert found_files(tmp_path) == [BODY]
    ranges = asked(web)
    assert len(ranges) > 3
    assert ranges[0] == (SIZE - PART, SIZE)
    assert len(set(ranges)) == len(ranges)


def test_files_take_connections_before_parts_do(web: Web, tmp_path: Path) -> None:
    """There are at most --parallel connections: each file has one, and parts share the rest."""
    url = web.serve("/a", Answer(BODY, pause=PAUSE))
    download(tmp_path, url, options=("--parallel", "1"))
    assert asked(web) == []
    slots = parts.Slots(2)
    with slots:
        assert slots.take()
        assert not slots.take()
        with slots:
            assert slots.are_short


def test_one_connection_fetches_all_where_the_system_starts_no_more_threads(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container with a process limit, the download ended with a traceback."""
    monkeypatch.setattr(parts, "Thread", thread := MagicMock())
    thread.return_value.start.side_effect = RuntimeError("can't start new thread")
    assert download(tmp_path, web.serve("/a", Answer(BODY, pause=PAUSE)))["bytes"] == SIZE
    assert found_files(tmp_path) == [BODY]
    assert asked(web) == []


@pytest.mark.parametrize("changed", [False, True], ids=["a server without ranges", "a changed object"])
def test_the_first_response_is_enough_where_parts_cannot_be_fetched(web: Web, tmp_path: Path, changed: bool) -> None:  # noqa: FBT001 - drawn
    """It is whole by itself."""
    first = Answer(BODY, headers=OF_PARTS, pause=PAUSE, ranges=False, times=int(changed))
    url = web.serve("/a", first, Answer(BODY[::-1], headers={"ETag": '"new-2"'}))
    assert download(tmp_path, url)["bytes"] == SIZE
    assert found_files(tmp_path) == [BODY]
    assert asked(web) == [(SIZE - PART, SIZE)], "the ranges were tried more than once"


@pytest.mark.parametrize("conditions", [True, False], ids=["If-Match is obeyed", "If-Match is ignored"])
def test_an_object_that_changes_between_its_parts_is_fetched_anew(
    web: Web, tmp_path: Path, *, conditions: bool
) -> None:
    """No file mixes two versions."""
    old = Answer(BODY, headers=OF_PARTS, pause=PAUSE, times=3)
    new = Answer(BODY[::-1], headers={"ETag": '"new-2"'}, conditions=conditions)
    assert download(tmp_path, web.serve("/a", old, new))["fetched"] == 1
    assert found_files(tmp_path) == [BODY[::-1]]


def test_an_object_without_an_etag_comes_by_one_connection(web: Web, tmp_path: Path) -> None:
    """Nothing would prove that its parts are of one version."""
    without = {"ETag": "", "Last-Modified": "Wed, 01 Apr 2026 06:30:15 GMT"}
    assert download(tmp_path, web.serve("/a", Answer(BODY, headers=without, pause=PAUSE)))["bytes"] == SIZE
    assert found_files(tmp_path) == [BODY]
    assert asked(web) == []


def test_a_broken_connection_keeps_what_the_others_fetched(web: Web, tmp_path: Path) -> None:
    """The first breaks in its first part: the retry asks only for the middle."""
    broken = Answer(BODY, headers=OF_PARTS, pause=PAUSE, cut=SIZE - PART // 2, times=1)
    download(tmp_path, web.serve("/a", broken, Answer(BODY, headers=OF_PARTS)))
    assert found_files(tmp_path) == [BODY]
    (middle,) = (end for first, end in asked(web) if first == PART // 2)
    assert middle is not None
    assert middle <= SIZE - PART


def test_progress_counts_the_bytes_of_an_unfinished_file(web: Web, tmp_path: Path) -> None:
    """Of all its connections; once it is complete, it counts as a file."""
    entry = Entry("a", web.serve("/a", Answer(BODY, headers=OF_PARTS, pause=PAUSE)), size=SIZE)
    progress = list[tuple[int, int]]()
    with Folder(tmp_path) as folder, Fetcher() as fetcher:
        mine = Download(folder, fetcher, on_progress=lambda so_far: progress.append((so_far.under_way, so_far.passed)))
        mine.run(iter([entry]), 8)
    assert progress[-1] == (0, SIZE)
    assert [passed for _, passed in progress[:-1]] == [0] * (len(progress) - 1)
    under_way = [size for size, _ in progress[:-1]]
    assert under_way == sorted(under_way)
    assert SIZE // 2 < under_way[-1] <= SIZE


def left(folder: Path, body: bytes, note: str) -> None:
    """Leave the state of an earlier, unfinished download of the file."""
    with Folder(folder / "to") as opened:
        place = opened.place(("0",))
        descriptor, _ = place.open()
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        place.note(note)


@pytest.mark.parametrize("parallel", ["16", "1"])
@pytest.mark.parametrize("kept", [2 * PART, SIZE - PART // 2], ids=["all of the last part", "half of the last part"])
def test_a_disk_that_lost_the_end_of_a_file_costs_only_that_end(
    web: Web, tmp_path: Path, kept: int, parallel: str
) -> None:
    """The file's note still names the end as present; when the note was believed, the file lacked its end."""
    broken = Answer(BODY, headers=OF_PARTS, cut=PART // 2, times=1)
    left(tmp_path, BODY[:kept], f"{ETAG}\n{2 * PART} {SIZE - PART} {SIZE}")
    download(tmp_path, web.serve("/a", broken, Answer(BODY, headers=OF_PARTS)), options=("--parallel", parallel))
    assert found_files(tmp_path) == [BODY]


def test_the_note_of_an_empty_file_is_removed_by_the_next_download(web: Web, tmp_path: Path) -> None:
    """A kill came before the first byte, and the object is smaller now: the note stayed."""
    left(tmp_path, b"", ETAG)
    download(tmp_path, web.serve("/a", Answer(b"%PDF")))
    assert found_files(tmp_path) == [b"%PDF"]


def test_a_complete_file_is_rid_of_the_remains_of_another_version(web: Web, tmp_path: Path) -> None:
    """The object was replaced for a while; the bytes of that version stayed beside the file."""
    url = web.serve("/a", Answer(b"%PDF"))
    download(tmp_path, url)
    left(tmp_path, BODY[:PART], ETAG)
    download(tmp_path, url)
    assert found_files(tmp_path) == [b"%PDF"]


def test_a_note_is_written_before_the_first_byte_at_the_end(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From then on the file's size proves nothing: a kill between the two would leave a hole in it."""
    noted, real = list[str](), PartFile.put

    def put(self: PartFile, at: int, piece: memoryview) -> None:
        noted.append(self._place.noted())
        real(self, at, piece)

    monkeypatch.setattr(PartFile, "put", put)
    download(tmp_path, web.serve("/a", Answer(BODY, headers=OF_PARTS, pause=PAUSE)))
    etag, _, ends = noted[0].partition("\n")
    assert (etag, ends.split()[1]) == (ETAG, str(SIZE))


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_download_continues_where_it_was(web: Web, tmp_path: Path, seed: int) -> None:
    """The bytes that its note names exist; no checksum would reveal a gap."""
    arguments = written(tmp_path, web.serve("/a", Answer(BODY, headers=OF_PARTS, pause=PAUSE)))
    run = f"from presign_siblings.manifests import parts; parts.SPLIT, parts.PART = {2 * PART}, {PART}"
    run += "; from presign_siblings.cli.main import main; main()"
    with subprocess.Popen([sys.executable, "-c", run, *arguments], cwd=REPOSITORY) as process:
        while not any("\n" in note.read_text() for note in (tmp_path / "to").glob("*.etag")) and process.poll() is None:
            time.sleep(0.002)
        time.sleep(0.05 * (seed + 1))
        process.send_signal(signal.SIGKILL)
    notes = [note.read_text() for note in (tmp_path / "to").glob("*.etag")]
    web.asked.clear()
    result = download(tmp_path, web.serve("/a", Answer(BODY, headers=OF_PARTS)))
    assert found_files(tmp_path) == [BODY]
    head, tail, _ = map(int, notes[0].partition("\n")[2].split())
    assert result["bytes"] == tail - head
