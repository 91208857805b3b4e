"""Several manifests are read as one, whatever the order of their lines."""

from __future__ import annotations

import gzip
import io
import json
import re
import resource
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from presign_siblings.errors import CommandError, naming
from presign_siblings.manifests import sorted_runs
from presign_siblings.manifests.joined import joined
from presign_siblings.manifests.patterns import Patterns
from tests.manifest_lines import SIGNATURE, line, url


def keys(*named: Path | str, **more: Any) -> list[str]:
    """Return the keys of some manifests read as one."""
    with joined([str(each) for each in named], lambda: None, **more) as (_, entries):  # type: ignore[arg-type, return-value]
        return [entry.key for entry in entries]


def written(path: Path, *keys_of: str) -> Path:
    """Write a manifest."""
    path.write_bytes(b"".join(line(key) for key in keys_of))
    return path


def open_files() -> int:
    """Return the number of files that this process has open."""
    return len([*Path("/dev/fd").iterdir()])


def test_lines_in_any_order_are_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In runs that fit into memory; S3's order is that of UTF-8, with astral letters last."""
    monkeypatch.setattr(sorted_runs, "RUN", 3)
    mixed = ["d", "\U0001f600", "b", "a/é", "\uffff", "c", 'q"uote', "a"]
    assert keys(written(tmp_path / "m", *mixed)) == sorted(mixed)


def test_lines_in_any_order_need_one_more_file_whatever_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file a run was more than macOS lets a process open, from 12 million lines on."""
    monkeypatch.setattr(sorted_runs, "RUN", 1)
    before, manifest = open_files(), written(tmp_path / "m", *(f"{n:02}" for n in range(60, 0, -1)))
    with joined([str(manifest)], lambda: None) as (_, entries):  # type: ignore[arg-type, return-value]
        assert len([*entries]) == 60
        assert open_files() == before + 2


def test_a_key_of_two_buckets_is_refused(tmp_path: Path) -> None:
    """One object of the two came, and nothing said so; a link that names no bucket may be to the same object."""
    manifests = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    hosts = ("reports.s3.eu-west-1.amazonaws.com", "others.s3.eu-west-1.amazonaws.com", "files.example.com")
    for manifest, host in zip(manifests, hosts, strict=True):
        manifest.write_bytes(line("in/a.pdf", url("in/a.pdf", host)))
    with pytest.raises(CommandError, match="key 'in/a.pdf' is in the buckets 'others' and 'reports'"):
        keys(*manifests[:2])
    assert keys(manifests[0], manifests[2]) == ["in/a.pdf"]


@pytest.mark.parametrize("host", ["own-123456789012.s3-accesspoint", "own-abc-s3alias.s3"])
def test_a_link_to_an_access_point_may_be_to_any_bucket(tmp_path: Path, host: str) -> None:
    """The manifests of a job that was given an access point later were refused."""
    manifests = [tmp_path / "a", tmp_path / "b"]
    for manifest, each in zip(manifests, ("reports.s3", host), strict=True):
        manifest.write_bytes(line("in/a.pdf", url("in/a.pdf", f"{each}.eu-west-1.amazonaws.com")))
    assert keys(*manifests) == ["in/a.pdf"]


def test_more_manifests_than_the_first_limit_of_open_files_are_joined(tmp_path: Path) -> None:
    """For example one a day for a year; the process may raise its own limit."""
    manifests = [written(tmp_path / f"{n:03}", f"{n:03}b", f"{n:03}a") for n in range(100)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
    try:
        assert len(keys(*manifests)) == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no file that is always full")
def test_a_disk_without_room_for_temporary_files_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of the output's disk, which may have room."""
    monkeypatch.setattr("tempfile.TemporaryFile", partial(Path("/dev/full").open, "w+b"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line("a"))))
    for manifest in (str(written(tmp_path / "m", "b", "a")), "-"):
        with pytest.raises(OSError, match="No space left on device: '/.*TMPDIR"), naming("links.csv"):
            keys(manifest)


def test_concatenated_files_are_one_manifest(tmp_path: Path) -> None:
    """Concatenated in a file, or as arguments, plain and gzip."""
    one, two = written(tmp_path / "1", "b", "d"), tmp_path / "2"
    two.write_bytes(gzip.compress(line("a") + line("c")))
    assert keys(one, two) == ["a", "b", "c", "d"]
    (tmp_path / "3").write_bytes(gzip.compress(line("x")) + two.read_bytes())
    assert keys(tmp_path / "3") == ["a", "c", "x"]


def test_the_longer_lived_of_two_links_to_a_key_counts(tmp_path: Path) -> None:
    """As after a refresh; a link that does not say when it ends is no longer-lived one."""
    short, long, unsaid = url("a"), url("a").replace("Expires=900", "Expires=9000"), url("a", query=SIGNATURE)
    for first, second in ((short, long), (long, short), (unsaid, long), (long, unsaid)):
        (tmp_path / "m").write_bytes(line("a", first) + line("a", second) + line("b"))
        with joined([str(tmp_path / "m")], lambda: None) as (_, entries):  # type: ignore[arg-type, return-value]
            assert [entry.url for entry in entries] == [long, url("b")]


@pytest.mark.parametrize("order", ["aba", "bab", "aab", "abb"])
def test_a_key_comes_once_wherever_its_lines_are(tmp_path: Path, order: str) -> None:
    """Adjacent or not, however their JSON is spaced."""
    lines = b"".join(line(key) for key in order)
    for each in (lines, lines.replace(b": ", b":").replace(b", ", b",")):
        (tmp_path / "m").write_bytes(each)
        assert keys(tmp_path / "m") == ["a", "b"]


def test_lines_are_counted_however_their_json_is_spaced(tmp_path: Path) -> None:
    """The progress of a download has the number of files, and the bytes read."""
    for sizes, total in (((b"12", b"12"), 24), ((b"null", b"null"), None), ((b"null", b"12"), None)):
        sized = b'{"key":"a","size":%b,"url":"https://x/a"}\n{"key":"b","size":%b,"url":"https://x/b"}\n' % sizes
        (tmp_path / "m").write_bytes(sized)
        with joined([str(tmp_path / "m")], lambda: None) as (found, _):  # type: ignore[arg-type, return-value]
            assert (found.count, found.size) == (2, total)


def test_a_line_that_names_two_keys_is_refused(tmp_path: Path) -> None:
    """JSON allows a repeated name: one key would be sorted, and the file of the other overwritten."""
    two = b'{"key": "%b", "key": "x", "url": "https://x/x"}\n'
    (tmp_path / "m").write_bytes(line("a") + two % b"y" + two.replace(b'"x"', b'"b"') % b"z")
    with pytest.raises(CommandError, match="line 3 of the manifest names two keys"):
        keys(tmp_path / "m")


def test_standard_input_may_be_a_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a pipe."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line("b") + line("a"))))
    assert keys("-") == ["a", "b"]


def test_the_total_size_is_known_before_the_first_byte(tmp_path: Path) -> None:
    """Of the chosen keys; unknown if a line lacks its size."""
    lines = [json.dumps({"key": key, "size": 5, "url": url(key)}) + "\n" for key in "abc"]
    (tmp_path / "m").write_text("".join(lines))
    with joined([str(tmp_path / "m")], lambda: None, lambda key: key != "b") as (found, _):  # type: ignore[arg-type, return-value]
        assert (found.count, found.size) == (2, 10)
    with joined([str(tmp_path / "m"), str(written(tmp_path / "n", "d"))], lambda: None) as (found, _):  # type: ignore[arg-type, return-value]
        assert (found.count, found.size) == (4, None)


def test_an_invalid_line_is_reported_by_its_number(tmp_path: Path) -> None:
    """Without its content, which may have a link."""
    (tmp_path / "m").write_bytes(line("a") + b"garbage\n")
    with pytest.raises(CommandError, match="^line 2 of the manifest is not JSON: verify shows all$"):
        keys(tmp_path / "m")
    with pytest.raises(CommandError, match="no file"):
        keys(tmp_path / "none")


@pytest.mark.parametrize(
    ("arguments", "taken"),
    [
        ([], "2025/a.pdf 2026/a.pdf 2026/x/b.txt"),
        (["--exclude", "*.txt"], "2025/a.pdf 2026/a.pdf"),
        (["--include", "2026/*"], "2026/a.pdf 2026/x/b.txt"),
        (["--include", "2026/*", "--exclude", "*.txt"], "2026/a.pdf"),
        (["--exclude", "*", "--include", "2026/*"], "2026/a.pdf 2026/x/b.txt"),
        (["--include", "2026/*", "--exclude=*"], ""),
        (["--exclude", "*", "--include=2026/*", "--exclude", "*/x/*"], "2026/a.pdf"),
    ],
)
def test_the_last_matching_pattern_decides(arguments: list[str], taken: str) -> None:
    """As in the AWS CLI; but an --include alone, or one that comes first, takes only what matches."""
    values: dict[str, list[str]] = {"--include": [], "--exclude": []}
    words = " ".join(arguments).replace("=", " ").split()
    for name, glob in zip(words[::2], words[1::2], strict=True):
        values[name].append(glob)
    patterns = Patterns.of(arguments, values["--include"], values["--exclude"])
    assert [key for key in ("2025/a.pdf", "2026/a.pdf", "2026/x/b.txt") if patterns.take(key)] == taken.split()


def test_the_damaged_one_of_several_manifests_is_named(tmp_path: Path) -> None:
    """A single one needs no name."""
    whole, text, cut = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.gz"))
    written(whole, "a", "b")
    text.write_text("hello\n")
    cut.write_bytes(gzip.compress(line("c") * 99)[:40])
    for wrong, why in ((text, "line 1 of the manifest is not JSON"), (cut, "the gzip stream is damaged")):
        with pytest.raises(CommandError, match=f"^{re.escape(str(wrong))}: {why}"):
            keys(whole, wrong)
        with pytest.raises(CommandError, match=f"^{why}"):
            keys(wrong)
