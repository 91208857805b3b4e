"""What ``export`` writes for aria2 and curl makes the same files as ``download``."""

from __future__ import annotations

import gzip
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from presign_siblings.cli.usage.export import export
from presign_siblings.manifests.download import Download
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.export import FORMS
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.safe_folder import Folder
from processor.signing.sigv4 import quoted
from tests.corpus import AWKWARD_KEYS
from tests.programs import program
from tests.web import Answer, Web

if TYPE_CHECKING:
    from pathlib import Path

# Names that aria2 could trim, expand, split, or take for an option.
MORE = (
    *(" lead.pdf", "lead.pdf", "  two.pdf", "dir/ inner.pdf", " dir/x.pdf", "dir/x.pdf", "\u3000wide.pdf", "a=b.pdf"),
    "-",
    *("#hash.pdf", "-dash.pdf", "~home.pdf", "$HOME/x.pdf", "{a,b}.pdf", "[1-3].pdf", "x.pdf/", "x.pdf/y.pdf", "x.pdf"),
    *("end ", "end", "con.pdf", "dots...", "%20lead.pdf", "x.aria2", "x", "x.1", " ", "=", "out=x.pdf", "\tout=y.pdf"),
)


def files(path: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def fetched(folder: Path, name: str, *options: str) -> dict[str, bytes]:
    """Run a program that fetches the entries of its input, in a folder; return the files."""
    path = program(name)
    (folder / "files").mkdir(exist_ok=True)
    done = subprocess.run(
        [path, *options], cwd=folder / "files", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    return files(folder / "files")


TORRENT = "application/x-bittorrent"
ARIA2 = ("aria2c", "--no-conf", "--quiet", "--max-tries=1")
EXAMPLE = str(export.epilog).partition("--as metalink")[2].partition("\n")[0]
OF_METALINK = shlex.split(EXAMPLE.partition("&& aria2c ")[2])
PROGRAMS = {
    "aria2": (*ARIA2, "--input-file=../input"),
    "metalink": (*ARIA2, *OF_METALINK[:-1], "../input"),
    "curl": ("curl", "--disable", "--silent", "--show-error", "--config", "../input"),
}


def downloaded(path: Path, entries: list[Entry]) -> dict[str, bytes]:
    """Return the files that ``download`` makes."""
    with Folder(path) as folder, Fetcher() as fetcher:
        assert Download(folder, fetcher).run(iter(entries), 4).failed == 0
    return files(path)


@pytest.mark.parametrize("form", PROGRAMS)
def test_other_programs_make_the_files_that_download_makes(form: str, web: Web, tmp_path: Path) -> None:
    """Names and bytes are equal, also of objects stored compressed; a second call makes no second file."""
    # aria2 1.36 reads &amp; in a name of Metalink as &#38;
    keys = sorted(key for key in {*AWKWARD_KEYS, *MORE} if form != "metalink" or "&" not in key)
    packed = gzip.compress(b"%PDF" * 99)
    answers = {key: Answer(f"{number}: {key}".encode()) for number, key in enumerate(keys)}
    answers["plain.pdf"] = Answer(packed, headers={"Content-Encoding": "gzip"})
    entries = [Entry(key, web.serve("/" + quoted([key])[0], answers[key]), size=len(answers[key].body)) for key in keys]
    expected = downloaded(tmp_path / "own", entries)
    assert sorted(expected.values()) == sorted(answer.body for answer in answers.values())
    (tmp_path / "input").write_text("".join(FORMS[form](iter(entries))), encoding="utf-8")
    for _ in range(2):
        assert fetched(tmp_path, *PROGRAMS[form]) == expected


@pytest.mark.parametrize("form", ["aria2", "curl"])
def test_other_programs_try_again_after_a_503(form: str, web: Web, tmp_path: Path) -> None:
    """S3's Slow Down: the file was missing, and curl fetched all others again with it."""
    busy = Answer(status=503, body=b"<Error><Code>SlowDown</Code></Error>", times=1)
    entries = [Entry(key, web.serve(f"/{key}", busy, Answer(b"%PDF"))) for key in ("a.pdf", "b.pdf")]
    (tmp_path / "input").write_text("".join(FORMS[form](iter(entries))), encoding="utf-8")
    options = [option for option in PROGRAMS[form] if option != "--max-tries=1"]
    assert fetched(tmp_path, *options) == {"a.pdf": b"%PDF", "b.pdf": b"%PDF"}


def test_curl_names_the_file_that_did_not_come(web: Web, tmp_path: Path) -> None:
    """It said that a URL had answered 404, not which of a thousand; a link itself is not shown."""
    urls = {"a.pdf": web.serve("/a.pdf", Answer(b"%PDF")), "in/b c.pdf": web.serve("/b.pdf", Answer(status=404))}
    entries = [Entry(key, url) for key, url in urls.items()]
    form = "curl"
    (tmp_path / "input").write_text("".join(FORMS[form](iter(entries))), encoding="utf-8")
    name, *options, _ = PROGRAMS[form]
    called = [program(name), *options, "input"]
    done = subprocess.run(called, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 22
    assert "\n./in/b c.pdf: The requested URL returned error: 404\n" in done.stderr
    assert (done.stdout, "a.pdf" in done.stderr, "http" in done.stderr) == ("", False, False)


@pytest.mark.parametrize("form", ["aria2", "metalink"])
def test_aria2_keeps_a_torrent_and_a_metalink_as_files(form: str, web: Web, tmp_path: Path) -> None:
    """It fetched what they name, too: whoever had put them into the bucket chose more files for the recipient."""
    named = f'<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="b.pdf"><url>{web.serve("/b", Answer(b"b"))}'
    metalink = Answer(f"{named}</url></file></metalink>".encode())
    info = b"d6:lengthi1e4:name5:t.pdf12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae"
    torrent = Answer(b"d8:announce18:http://127.0.0.1:94:info" + info + b"e", headers={"Content-Type": TORRENT})
    entries = [Entry(key, web.serve(f"/{key}", of)) for key, of in (("a.meta4", metalink), ("a.pdf", torrent))]
    (tmp_path / "input").write_text("".join(FORMS[form](iter(entries))), encoding="utf-8")
    expected = {"a.meta4": metalink.body, "a.pdf": torrent.body}
    assert fetched(tmp_path, *PROGRAMS[form], "--bt-stop-timeout=1") == expected
