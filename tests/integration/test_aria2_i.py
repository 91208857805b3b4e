"""The input file for aria2, read by aria2 itself: the same files as ``download`` makes."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from presign_siblings.manifests.download import Download
from presign_siblings.manifests.export import FORMS
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.reader import Entry
from presign_siblings.manifests.safe_folder import Folder
from processor.signing.sigv4 import quoted
from tests.corpus import AWKWARD_KEYS
from tests.web import Answer, Web, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What aria2 could trim, expand, split, or take for an option.
MORE = (
    *(" lead.pdf", "lead.pdf", "  two.pdf", "dir/ inner.pdf", " dir/x.pdf", "dir/x.pdf", "\u3000wide.pdf", "a=b.pdf"),
    *("#hash.pdf", "-dash.pdf", "~home.pdf", "$HOME/x.pdf", "{a,b}.pdf", "[1-3].pdf", "x.pdf/", "x.pdf/y.pdf", "x.pdf"),
    *("end ", "end", "con.pdf", "dots...", "%20lead.pdf", "x.aria2", "x", "x.1", " ", "=", "out=x.pdf", "\tout=y.pdf"),
)


@pytest.fixture
def web() -> Iterator[Web]:
    """Serve what a test scripts."""
    with serving() as served:
        yield served


def files(path: Path) -> dict[str, bytes]:
    """Return what lies in a folder."""
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def aria2(folder: Path, text: str) -> dict[str, bytes]:
    """Let aria2 fetch what its input file names; return the files."""
    program = shutil.which("aria2c")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("aria2 is missing: .ci/run installs it")
        pytest.skip("aria2 is missing: apt-get install aria2")
    (folder / "files.aria2").write_text(text, encoding="utf-8")
    command = [program, "--no-conf", "--input-file", "files.aria2", "--dir", "files", "--quiet", "--max-tries=1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-500:]
    return files(folder / "files")


def downloaded(path: Path, entries: list[Entry]) -> dict[str, bytes]:
    """Return the files that ``download`` makes."""

    async def run() -> None:
        with Folder(path) as folder:
            async with Fetcher(4) as fetcher:
                assert (await Download(folder, fetcher).run(iter(entries), 4)).failed == 0

    asyncio.run(run())
    return files(path)


def test_aria2_makes_the_files_that_download_makes(web: Web, tmp_path: Path) -> None:
    """Names and bytes, also of what is stored compressed; a second call makes no second file."""
    keys = sorted({*AWKWARD_KEYS, *MORE})
    packed = gzip.compress(b"%PDF" * 99)
    answers = {key: Answer(f"{number}: {key}".encode()) for number, key in enumerate(keys)}
    answers["plain.pdf"] = Answer(packed, headers={"Content-Encoding": "gzip"})
    entries = [Entry(key, web.serve("/" + quoted([key])[0], answers[key])) for key in keys]
    expected = downloaded(tmp_path / "own", entries)
    assert sorted(expected.values()) == sorted(answer.body for answer in answers.values())
    text = "".join(FORMS["aria2"](iter(entries)))
    assert aria2(tmp_path, text) == expected
    assert aria2(tmp_path, text) == expected
