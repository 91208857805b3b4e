"""A large object comes by several connections, is whole all the same, and continues after a kill."""

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
OF_PARTS = {"ETag": f'"{ETAG}"'}  # compared with nothing: each byte must be right by itself
PAUSE = 0.02


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let objects of a few megabytes be large."""
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
    told: dict[str, int] = json.loads(called.stdout)
    return told


def there(folder: Path) -> list[bytes]:
    """Return the files that are there, whole or not."""
    return [path.read_bytes() for path in sorted((folder / "to").iterdir())]


def asked(web: Web) -> list[tuple[int, int | None]]:
    """Return the ranges that were asked for."""
    found = [re.fullmatch(r"bytes=(\d+)-(\d*)", each) for _, each in web.asked if each]
    return [(int(each[1]), int(each[2]) + 1 if each[2] else None) for each in found if each]


@pytest.mark.parametrize("headers", [OF_PARTS, {}], ids=["nothing is compared", "the MD5 is compared"])
def test_parts_come_beside_the_beginning(web: Web, tmp_path: Path, headers: dict[str, str]) -> None:
    """Each byte once, but for what was under way as the first connection met the others."""
    told = download(tmp_path, web.serve("/a", Answer(BODY, headers=headers, pause=PAUSE)))
    assert (told["fetched"], told["bytes"]) == (1, SIZE)
    assert there(tmp_path) == [BODY]
    ranges = asked(web)
    assert len(ranges) > 3
    assert ranges[0] == (SIZE - PART, SIZE)
    assert len(set(ranges)) == len(ranges)


def test_files_come_before_parts(web: Web, tmp_path: Path) -> None:
    """There are no more connections than --parallel says: each file has one, and parts have what is left."""
    url = web.serve("/a", Answer(BODY, pause=PAUSE))
    download(tmp_path, url, options=("--parallel", "1"))
    assert asked(web) == []
    slots = parts.Slots(2)
    with slots:
        assert slots.take()
        assert not slots.take()
        with slots:
            assert slots.are_short


def test_one_connection_brings_all_where_the_system_starts_no_more_threads(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container with a limit of processes: the download ended with a traceback."""
    monkeypatch.setattr(parts, "Thread", thread := MagicMock())
    thread.return_value.start.side_effect = RuntimeError("can't start new thread")
    assert download(tmp_path, web.serve("/a", Answer(BODY, pause=PAUSE)))["bytes"] == SIZE
    assert there(tmp_path) == [BODY]
    assert asked(web) == []


@pytest.mark.parametrize("changed", [False, True], ids=["it knows no ranges", "the object has changed meanwhile"])
def test_one_answer_is_enough(web: Web, tmp_path: Path, changed: bool) -> None:  # noqa: FBT001 - drawn
    """The first one, which is whole in itself."""
    first = Answer(BODY, headers=OF_PARTS, pause=PAUSE, ranges=False, times=int(changed))
    url = web.serve("/a", first, Answer(BODY[::-1], headers={"ETag": '"new-2"'}))
    assert download(tmp_path, url)["bytes"] == SIZE
    assert there(tmp_path) == [BODY]
    assert asked(web) == [(SIZE - PART, SIZE)], "once is enough to know"


@pytest.mark.parametrize("conditions", [True, False], ids=["it looks at If-Match", "it does not"])
def test_an_object_that_changes_while_its_parts_come_begins_again(
    web: Web, tmp_path: Path, *, conditions: bool
) -> None:
    """Nothing is put together of two objects."""
    old = Answer(BODY, headers=OF_PARTS, pause=PAUSE, times=3)
    new = Answer(BODY[::-1], headers={"ETag": '"new-2"'}, conditions=conditions)
    assert download(tmp_path, web.serve("/a", old, new))["fetched"] == 1
    assert there(tmp_path) == [BODY[::-1]]


def test_an_object_without_an_etag_comes_by_one_connection(web: Web, tmp_path: Path) -> None:
    """Nothing would tell that its parts are of one object."""
    without = {"ETag": "", "Last-Modified": "Wed, 01 Apr 2026 06:30:15 GMT"}
    assert download(tmp_path, web.serve("/a", Answer(BODY, headers=without, pause=PAUSE)))["bytes"] == SIZE
    assert there(tmp_path) == [BODY]
    assert asked(web) == []


def test_a_connection_that_breaks_leaves_what_the_others_brought(web: Web, tmp_path: Path) -> None:
    """The first breaks in its first part: the next try asks for the middle alone."""
    broken = Answer(BODY, headers=OF_PARTS, pause=PAUSE, cut=SIZE - PART // 2, times=1)
    download(tmp_path, web.serve("/a", broken, Answer(BODY, headers=OF_PARTS)))
    assert there(tmp_path) == [BODY]
    (middle,) = (end for first, end in asked(web) if first == PART // 2)
    assert middle is not None
    assert middle <= SIZE - PART


def test_a_file_is_told_of_while_it_comes(web: Web, tmp_path: Path) -> None:
    """By whichever connection; once it is there, it counts as a file."""
    entry = Entry("a", web.serve("/a", Answer(BODY, headers=OF_PARTS, pause=PAUSE)), size=SIZE)
    told = list[tuple[int, int]]()
    with Folder(tmp_path) as folder, Fetcher() as fetcher:
        mine = Download(folder, fetcher, on_progress=lambda so_far: told.append((so_far.under_way, so_far.passed)))
        mine.run(iter([entry]), 8)
    assert told[-1] == (0, SIZE)
    assert [passed for _, passed in told[:-1]] == [0] * (len(told) - 1)
    under_way = [size for size, _ in told[:-1]]
    assert under_way == sorted(under_way)
    assert SIZE // 2 < under_way[-1] <= SIZE


def left(folder: Path, body: bytes, note: str) -> None:
    """Leave what an earlier download has left of the file."""
    with Folder(folder / "to") as opened:
        place = opened.place(("0",))
        descriptor, _ = place.open()
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        place.note(note)


@pytest.mark.parametrize("parallel", ["16", "1"])
@pytest.mark.parametrize("kept", [2 * PART, SIZE - PART // 2], ids=["the last part", "some of it"])
def test_a_disk_that_lost_the_end_of_a_file_loses_no_more(web: Web, tmp_path: Path, kept: int, parallel: str) -> None:
    """Its note says otherwise; believed once one connection had come so far, it made a file without its end."""
    broken = Answer(BODY, headers=OF_PARTS, cut=PART // 2, times=1)
    left(tmp_path, BODY[:kept], f"{ETAG}\n{2 * PART} {SIZE - PART} {SIZE}")
    download(tmp_path, web.serve("/a", broken, Answer(BODY, headers=OF_PARTS)), options=("--parallel", parallel))
    assert there(tmp_path) == [BODY]


def test_a_note_of_no_byte_goes_with_the_next_download(web: Web, tmp_path: Path) -> None:
    """A kill came before the first byte, and the object is smaller now: its note lay there for ever."""
    left(tmp_path, b"", ETAG)
    download(tmp_path, web.serve("/a", Answer(b"%PDF")))
    assert there(tmp_path) == [b"%PDF"]


def test_a_file_that_is_there_leaves_nothing_of_an_object_that_was_replaced_for_a_while(
    web: Web, tmp_path: Path
) -> None:
    """What had come of the other one lay beside it for ever."""
    url = web.serve("/a", Answer(b"%PDF"))
    download(tmp_path, url)
    left(tmp_path, BODY[:PART], ETAG)
    download(tmp_path, url)
    assert there(tmp_path) == [b"%PDF"]


def test_a_note_says_what_is_there_before_the_first_byte_at_the_end(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From then on the size of the file says nothing: a kill between the two would leave a hole in it."""
    noted, real = list[str](), PartFile.put

    def put(self: PartFile, at: int, piece: memoryview) -> None:
        noted.append(self._place.noted())
        real(self, at, piece)

    monkeypatch.setattr(PartFile, "put", put)
    download(tmp_path, web.serve("/a", Answer(BODY, headers=OF_PARTS, pause=PAUSE)))
    etag, _, ends = noted[0].partition("\n")
    assert (etag, ends.split()[1]) == (ETAG, str(SIZE))


@pytest.mark.parametrize("seed", range(3))
def test_a_download_that_was_killed_continues_where_it_was(web: Web, tmp_path: Path, seed: int) -> None:
    """What its note says is there is there; the checksum of nothing would tell if it were not."""
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
    told = download(tmp_path, web.serve("/a", Answer(BODY, headers=OF_PARTS)))
    assert there(tmp_path) == [BODY]
    head, tail, _ = map(int, notes[0].partition("\n")[2].split())
    assert told["bytes"] == tail - head
