"""Downloads through a proxy that compresses what was requested as it is, and of objects stored compressed."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest
from click.testing import CliRunner

from presign_siblings.cli.main import main
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.export import FORMS
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.turns import at_once
from tests.web import raw

if TYPE_CHECKING:
    from pathlib import Path

OBJECT = b"%PDF" * 500_000
PACKED = gzip.compress(OBJECT, mtime=0)
MD5 = hashlib.md5(OBJECT, usedforsecurity=False).hexdigest()
MD5_PACKED = hashlib.md5(PACKED, usedforsecurity=False).hexdigest()


class Bring(Protocol):
    """Downloads one object into a folder; returns the exit code and what the program says."""

    def __call__(self, entry: Entry, folder: Path) -> tuple[int, str]:
        """Download."""


def answer(etag: str, body: bytes = PACKED, *, chunked: bool = False) -> tuple[bytes]:
    """Return a raw response whose body is said to be gzip."""
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = ["HTTP/1.1 200 OK", "Last-Modified: yesterday", "Content-Encoding: gzip", "Connection: close", length]
    framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    return ("\r\n".join([*head, *([f"ETag: {etag}"] if etag else []), "\r\n"]).encode() + framed,)


def by_command(entry: Entry, folder: Path) -> tuple[int, str]:
    """Download with the command; return its exit code and what it says."""
    facts = {"key": entry.key} | ({} if entry.size is None else {"size": entry.size}) | {"url": entry.url}
    (folder / "manifest.jsonl").write_text(json.dumps(facts) + "\n")
    called = CliRunner().invoke(main, ["download", str(folder / "manifest.jsonl"), str(folder / "files")])
    return called.exit_code, called.output


def by_script(entry: Entry, folder: Path) -> tuple[int, str]:
    """Download with the exported script; return its exit code and what it says."""
    script = folder / "download.py"
    script.write_text("".join(FORMS["script"](iter([entry]))), encoding="utf-8")
    command = [sys.executable, "-I", "-S", str(script), str(folder / "files")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


BOTH = pytest.mark.parametrize("bring", [by_command, by_script])


@BOTH
@pytest.mark.parametrize(
    ("etag", "listed", "chunked"),
    [
        (f'"{MD5}"', None, False),
        (f'W/"{MD5}"', None, True),  # nginx
        (f'"{MD5}-gzip"', None, True),  # Apache
        ('"0123-2"', len(OBJECT), True),
        ('"0123-2"', len(OBJECT), False),
        ("", len(OBJECT), True),
    ],
)
def test_an_object_that_a_proxy_has_compressed_is_unpacked(
    tmp_path: Path, bring: Bring, etag: str, listed: int | None, *, chunked: bool
) -> None:
    """Where its MD5 or its listed size proves it; the packed bytes were kept as the file, with exit code 0."""
    with raw(*[answer(etag, chunked=chunked)] * 2) as url:
        code, output = bring(Entry("a", url, listed), tmp_path)
    assert code == 0, output
    assert (tmp_path / "files" / "a").read_bytes() == OBJECT
    assert "ETag" not in output
    assert [each.name for each in (tmp_path / "files").iterdir()] == ["a"]


@BOTH
@pytest.mark.parametrize(
    ("etag", "listed"),
    [
        (f'"{MD5_PACKED}"', None),
        (f'"{MD5_PACKED}"', len(OBJECT)),  # it was compressed after it was listed
        ('"0123-2"', len(PACKED)),
        ('"0123-2"', None),
        ('"0123-2"', 5),  # it has changed since it was listed
        (f'"{"0" * 32}"', len(PACKED)),  # a store whose ETags are no MD5
    ],
)
def test_an_object_that_is_stored_compressed_is_kept_as_stored(
    tmp_path: Path, bring: Bring, etag: str, listed: int | None
) -> None:
    """Its answer has the same header, but its size and its ETag are those of the packed bytes."""
    with raw(*[answer(etag)] * 4) as url:
        code, output = bring(Entry("a", url, listed), tmp_path)
    assert code == 0, output
    assert (tmp_path / "files" / "a").read_bytes() == PACKED
    assert [each.name for each in (tmp_path / "files").iterdir()] == ["a"]


@BOTH
@pytest.mark.parametrize("body", [PACKED[:-9], PACKED + b"more", b"no gzip"])
def test_bytes_that_do_not_unpack_to_the_object_are_not_unpacked(tmp_path: Path, bring: Bring, body: bytes) -> None:
    """They are requested again, like all that do not match their ETag."""
    with raw(answer(f'"{MD5}"', body), *[answer(f'"{MD5}"')] * 2) as url:
        code, output = bring(Entry("a", url), tmp_path)
    assert code == 0, output
    assert (tmp_path / "files" / "a").read_bytes() == OBJECT


@pytest.mark.parametrize("etag", [f'"{MD5}"', '"0123-2"'])
def test_verify_reads_what_a_proxy_has_compressed(etag: str) -> None:
    """It called such an object another one than the listed."""
    with raw(*[answer(etag)] * 2) as url, Fetcher() as fetcher:
        got = at_once(fetcher.getting(url, listed=len(OBJECT)))
    assert (got.size, got.is_proven is not False) == (len(OBJECT), True)


def test_a_disk_that_is_full_while_the_script_unpacks_is_not_kept_full(tmp_path: Path) -> None:
    """Half of what was unpacked stayed for ever under a name that no later start looked for."""
    files = tmp_path / "files"
    with raw(*[answer(MD5)] * 2) as url:
        script = tmp_path / "download.py"
        script.write_text("".join(FORMS["script"](iter([Entry("a.pdf", url)]))), encoding="utf-8")
        start = f"import runpy, sys; sys.argv = [{str(script)!r}, {str(files)!r}]; "
        run = f"runpy.run_path({str(script)!r}, run_name='__main__')"
        full = (
            "import shutil, errno\n"
            "def fail(_, file):\n"
            "    file.write(b'%PDF')\n"
            "    raise OSError(errno.ENOSPC, 'No space left on device')\n"
            "shutil.copyfileobj = fail\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", full + start + run], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, "No space left" in done.stderr) == (1, True), done.stderr
        assert sorted(path.name for path in files.iterdir()) == ["a.pdf%part", "a.pdf%part.etag"]

        (files / "a.pdf%part.new").write_bytes(b"%PDF")  # of a kill
        assert by_script(Entry("a.pdf", url), tmp_path)[0] == 0
    assert [path.name for path in files.iterdir()] == ["a.pdf"]
    assert (files / "a.pdf").read_bytes() == OBJECT
