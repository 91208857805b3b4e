"""``export`` and ``verify`` by their command lines, on a manifest in a file."""

from __future__ import annotations

import asyncio
import io
import json
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest.mock import MagicMock

import pytest
from click.testing import CliRunner

from presign_siblings.cli.main import main
from presign_siblings.errors import NO_MEMORY, USAGE
from presign_siblings.laptop.file_pieces import FilePieceStore
from presign_siblings.laptop.piped import copied
from presign_siblings.manifests.location import STDIN
from tests.manifest_lines import line, url
from tests.unit.manifest.ranges import put

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result


def call(folder: Path, lines: list[bytes], command: str, *arguments: str) -> Result:
    """Write a manifest and call a command on it."""
    path = folder / "manifest.jsonl"
    path.write_bytes(b"".join(lines))
    return CliRunner().invoke(main, [command, str(path), *arguments])


def test_a_warning_names_urls_that_share_a_file_name(tmp_path: Path) -> None:
    """On standard error: the list itself stays a list."""
    done = call(tmp_path, [line("a/x.pdf"), line("b/x.pdf")], "export")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [url("a/x.pdf"), url("b/x.pdf")]
    assert "1 URL has no file name of its own after the last slash, first b/x.pdf" in done.stderr
    done = call(tmp_path, [line("a/x.pdf"), line("b/y.pdf")], "export", "--output", "/dev/stdout")
    assert (done.stdout.splitlines(), "name of its own" in done.stderr) == ([url("a/x.pdf"), url("b/y.pdf")], False)


def test_an_export_is_utf_8_whatever_the_terminals_encoding(tmp_path: Path) -> None:
    """Also to standard output: a spreadsheet decodes it by its first bytes."""
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(line("\u65e5\u672c.pdf"))
    done = CliRunner(charset="latin-1").invoke(main, ["export", str(path), "--as", "csv"])
    assert done.exit_code == 0
    assert done.stdout_bytes.startswith(b"\xef\xbb\xbf")
    assert "\u65e5\u672c.pdf".encode() in done.stdout_bytes


@contextmanager
def full_disk() -> Iterator[None]:
    """Limit every file to 100 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_reported_with_the_file_concerned(tmp_path: Path) -> None:
    """The system gives only an errno when an open file is written to."""
    output = tmp_path / "links.csv"
    (tmp_path / "manifest.jsonl").write_bytes(b"".join(line(f"{number:03}.pdf") for number in range(50)))
    with full_disk():
        done = CliRunner().invoke(main, ["export", str(tmp_path / "manifest.jsonl"), "--output", str(output)])
    assert (done.exit_code, done.stderr) == (1, f"presign-siblings: {output}: File too large\n")
    assert not output.exists()


def test_a_full_disk_is_reported_with_the_copy_of_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python writes the last bytes once more when it closes the file, and raised the error without a name."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(200 * b"a")))
    with full_disk(), pytest.raises(OSError, match="presign-siblings-") as raised, copied(STDIN):
        pass
    assert raised.value.strerror == "File too large"


def test_a_lack_of_memory_is_reported_with_the_settings_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under a cluster's ulimit -v; it was a traceback."""
    monkeypatch.setattr("presign_siblings.cli.verify.verified", MagicMock(side_effect=MemoryError))
    done = call(tmp_path, [line("a")], "verify")
    assert (done.exit_code, done.stderr) == (1, f"presign-siblings: {NO_MEMORY}\n")


def test_a_full_disk_is_reported_with_the_piece_of_a_run(tmp_path: Path) -> None:
    """So the reader knows which disk."""
    pieces = FilePieceStore(tmp_path / "manifest.jsonl", "hop")
    with full_disk(), pytest.raises(OSError, match="File too large") as raised:
        asyncio.run(put(pieces, b"x" * 200))
    assert str(raised.value.filename) == str(pieces.folder / "hop-000001")


WEEK = "X-Amz-Date=20990401T063015Z&X-Amz-Expires=604800"


def test_verify_does_not_promise_a_week_for_links_of_a_session(tmp_path: Path) -> None:
    """It reports that they expire with the session."""
    of_session = f"{WEEK}&X-Amz-Security-Token=abc&X-Amz-Signature=0"
    manifest = [line("a.pdf", url("a.pdf", query=of_session)), line("b.pdf", url("b.pdf", query=of_session))]
    done = call(tmp_path, manifest, "verify", "--sample", "0")
    assert done.exit_code == 0
    assert "2099-04-02T18:30:15Z at the latest: a session has signed 2, and they die with it" in done.stdout
    assert "2099-04-08" not in done.stdout
    report = json.loads(call(tmp_path, manifest, "verify", "--sample", "0", "--json").stdout)
    assert (report["expires_at"], report["ends_with_session"]) == ("2099-04-02T18:30:15Z", True)


def test_verify_reports_a_week_for_links_of_lasting_keys(tmp_path: Path) -> None:
    """An IAM user's access key has no session."""
    own = [line("a.pdf", url("a.pdf", query=f"{WEEK}&X-Amz-Signature=0"))]
    report = json.loads(call(tmp_path, own, "verify", "--sample", "0", "--json").stdout)
    assert (report["expires_at"], report["ends_with_session"]) == ("2099-04-08T06:30:15Z", False)


def test_verify_reports_a_session_as_over_after_the_longest_possible_one(tmp_path: Path) -> None:
    """Although the URL itself claims more; another store's session may last, so its answer decides."""
    long = "X-Amz-Date=20200101T000000Z&X-Amz-Expires=4000000&X-Amz-Security-Token=a&X-Amz-Signature=0"
    done = call(tmp_path, [line("a.pdf", url("a.pdf", query=long))], "verify", "--sample", "0")
    assert "dead for" in done.stdout
    assert (
        "the first died at 2020-01-02T12:00:00Z at the latest: a session has signed 1, and they died with it"
        in done.stdout
    )


def test_verify_reports_archived_objects(tmp_path: Path) -> None:
    """If the lines have the storage class."""
    entry = {"key": "a.pdf", "storage_class": "DEEP_ARCHIVE", "url": url("a.pdf", query=f"{WEEK}&X-Amz-Signature=0")}
    done = call(tmp_path, [json.dumps(entry).encode() + b"\n"], "verify", "--sample", "0")
    assert done.exit_code == 0
    assert "1 line names an archive's storage class: such a link works once its object is restored" in done.stdout


def test_a_dry_export_counts_and_writes_nothing(tmp_path: Path) -> None:
    """The bytes are those of the real export; an existing file is refused as by that."""
    lines, output = [line("a/x.pdf"), line("b/x.pdf")], tmp_path / "links.txt"
    dry = call(tmp_path, lines, "export", "--output", str(output), "--dry-run", "--json")
    report = json.loads(dry.stdout)
    assert not output.exists()
    real = call(tmp_path, lines, "export", "--output", str(output), "--json")
    assert report == {"dry_run": True, "bytes": output.stat().st_size} | json.loads(real.stdout)
    assert dry.stderr == real.stderr
    for more in ("--dry-run", "--quiet"):
        assert call(tmp_path, lines, "export", "--output", str(output), more).exit_code == 2
    shown = call(tmp_path, lines, "export", "--dry-run")
    assert shown.stdout == f"standard output: 2 URLs would be written ({report['bytes']:,} bytes)\n"


@pytest.mark.parametrize(("form", "is_warned"), [("urls", True), ("html", True), ("curl", False), ("script", False)])
def test_a_warning_names_links_that_programs_change(tmp_path: Path, form: str, *, is_warned: bool) -> None:
    """For forms that such programs read."""
    done = call(tmp_path, [line("a/../x.pdf"), line("b.pdf")], "export", "--as", form)
    assert ("1 key has . or .. as a path segment" in done.stderr) == is_warned


@pytest.mark.parametrize(
    ("form", "warning"),
    [
        ("html", "a page of more than 2 files may be too large for a browser"),
        ("csv", "Excel shows no more than 2 of these files"),
        ("urls", ""),
    ],
)
def test_a_file_too_long_for_the_program_that_shows_it_causes_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, warning: str
) -> None:
    """A job leaves such a page out, with a warning; the same page from a manifest came without one."""
    monkeypatch.setattr("presign_siblings.cli.export.MOST_FILES", 2)
    monkeypatch.setattr("presign_siblings.cli.export.MOST_ROWS", 2)
    lines = [line(f"{number}.pdf") for number in range(3)]
    assert warning in call(tmp_path, lines, "export", "--as", form).stderr
    assert " 2 " not in call(tmp_path, lines[:2], "export", "--as", form).stderr


def test_verify_reports_links_that_clients_change_or_refuse(tmp_path: Path) -> None:
    """They are the manifest's own: only the clients are at fault."""
    query = f"{WEEK}&x={'x' * 8192}&X-Amz-Signature=0"
    manifest = [line("../a.pdf", url("../a.pdf", query=f"{WEEK}&X-Amz-Signature=0")), line("b", url("b", query=query))]
    done = call(tmp_path, manifest, "verify", "--sample", "0")
    assert done.exit_code == 0, done.output
    assert "1 key has . or .. as a path segment" in done.stderr
    assert "1 link is longer than 8,192 bytes" in done.stderr
    as_json = json.loads(call(tmp_path, manifest, "verify", "--sample", "0", "--json").stdout)
    assert (as_json["passed"], as_json["hindered"]) == (True, {"dots_in_path": 1, "long_urls": 1})


def test_a_warning_says_that_the_links_of_an_old_manifest_are_dead(tmp_path: Path) -> None:
    """Else the recipient of the page would find out."""
    done = call(
        tmp_path, [line("a.pdf"), line("b.pdf")], "export", "--as", "html", "--output", str(tmp_path / "a.html")
    )
    assert done.exit_code == 0
    assert "the first link died at 2026-04-01T06:45:15Z: refresh signs the keys again" in done.stderr
    alive = [line("a.pdf", url("a.pdf", query=f"{WEEK}&X-Amz-Signature=0"))]
    assert call(tmp_path, alive, "export").stderr == ""


@pytest.mark.parametrize("command", [("export",), ("download", "files", "--dry-run")])
def test_a_terminal_shows_how_much_of_a_long_manifest_was_read_before_the_first_result(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Millions of lines take many seconds; a script, and --quiet, see nothing of it."""
    monkeypatch.setattr("presign_siblings.manifests.joined.SHOWN", 2)
    lines = [line("a/x.pdf"), line("b/y.pdf"), line("c/z.pdf")]
    assert "lines" not in call(tmp_path, lines, *command).stderr
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "2 lines " in call(tmp_path, lines, *command).stderr
    assert call(tmp_path, lines, *command, "--quiet").stderr == ""


def test_an_output_that_exists_is_refused_before_the_manifest_is_read(tmp_path: Path) -> None:
    """Millions of lines are not read in vain."""
    taken = tmp_path / "links.txt"
    taken.write_text("mine")
    done = CliRunner().invoke(main, ["export", str(tmp_path / "absent.jsonl"), "--output", str(taken)])
    assert done.exit_code == USAGE
    assert "exists already" in done.stderr
