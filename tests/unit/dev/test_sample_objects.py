"""The PDFs of the rehearsal are valid and all different, with names that a careless client gets wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from dev import sample_objects


def test_a_generated_pdf_has_a_correct_table_of_offsets() -> None:
    """A reader finds every object at its offset."""
    body = sample_objects.pdf("Report number 7")
    table = int(re.findall(rb"startxref\n(\d+)\n%%EOF\n", body)[0])
    assert body[table:].startswith(b"xref\n0 6\n0000000000 65535 f \n")
    offsets = [int(line[:10]) for line in body[table:].split(b"\n")[3:8]]
    assert [body[offset:].split(b"\n")[0] for offset in offsets] == [b"%d 0 obj" % number for number in range(1, 6)]
    length, stream = re.findall(rb"/Length (\d+) >>\nstream\n(.*)\nendstream", body)[0]
    assert int(length) == len(stream)
    assert b"(Report number 7) Tj" in stream


@pytest.mark.parametrize("count", [1, 40, 3000])
def test_the_requested_number_of_pdfs_is_generated_all_different(count: int) -> None:
    """And some objects beside them that are no PDFs."""
    items = list(sample_objects.made(count, "in/"))
    found = [item for item in items if item.is_pdf]
    assert len(found) == count
    assert len({item.key for item in items}) == len(items) == count + len(sample_objects.NO_PDFS)
    assert len({item.body for item in found}) == count
    assert all(item.key.startswith("in/") and len(item.key.encode()) <= 1024 for item in items)


def test_the_same_call_generates_the_same_pdfs() -> None:
    """A failure can be reproduced."""
    assert list(sample_objects.made(50, "")) == list(sample_objects.made(50, ""))


def test_the_longest_possible_name_is_among_them() -> None:
    """S3 accepts 1,024 bytes."""
    assert max(len(item.key.encode()) for item in sample_objects.made(40, "in/")) == 1024


def test_every_listed_name_is_awkward_and_every_numbered_one_is_not() -> None:
    """The proof downloads all of the former and some of the latter."""
    items = [item for item in sample_objects.made(60, "in/") if item.is_pdf]
    assert all(item.is_awkward for item in items[: len(sample_objects.AWKWARD) + 1])
    assert not any(item.is_awkward for item in items[len(sample_objects.AWKWARD) + 1 :])


def read(folder: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the accepted files, and the refused ones, by name."""
    refused: dict[str, str] = {}
    taken = {item.key: item.body for item in sample_objects.found(folder, "in/", refused.__setitem__)}
    return taken, refused


def test_a_folder_gives_its_pdfs_by_their_relative_paths(tmp_path: Path) -> None:
    """Those of all subfolders, whatever the case of their suffix; other files are named."""
    for name in ("b.pdf", "sub/deep/A.PDF", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"%PDF-" + name.encode())
    taken, refused = read(tmp_path)
    assert taken == {"in/b.pdf": b"%PDF-b.pdf", "in/sub/deep/A.PDF": b"%PDF-sub/deep/A.PDF"}
    assert refused == {"notes.txt": "its name does not end in .pdf"}


def test_every_file_of_a_folder_is_taken_or_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One odd file does not affect the others, and its name does not control the terminal."""
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "far.pdf").write_bytes(b"%PDF-far")
    folder.mkdir()
    for name in (b"good.pdf", b"line\nbreak.pdf", b"latin-\xe9.pdf", b"locked.pdf"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"%PDF-1")
    (folder / "text.pdf").write_text("hello")
    (folder / "to-file.pdf").symlink_to(elsewhere / "far.pdf")
    (folder / "to-folder").symlink_to(elsewhere)
    (folder / "to-nothing.pdf").symlink_to(elsewhere / "none")
    (folder / "itself.pdf").symlink_to(folder / "itself.pdf")
    (folder / "folder.pdf").mkdir()
    os.mkfifo(folder / "pipe.pdf")
    whole = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path.name == "locked.pdf":
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    taken, refused = read(folder)
    assert taken == {"in/good.pdf": b"%PDF-1", "in/to-file.pdf": b"%PDF-far"}
    assert refused == {
        "line\\nbreak.pdf": "its name has a control character, such as a line break",
        "latin-\\xe9.pdf": "its name is not UTF-8, and a key is",
        "locked.pdf": "cannot be read: Permission denied",
        "text.pdf": "it does not begin with %PDF-, as a PDF does",
        "to-folder": "a link to a folder, which is not followed",
        "to-nothing.pdf": "a link to nothing",
        "itself.pdf": "a link to nothing",
        "pipe.pdf": "no regular file",
    }


def test_files_too_large_for_memory_are_named_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Emulator and proof hold every object: gigabytes in one file, or in several, ended the run with a traceback."""
    monkeypatch.setattr(sample_objects, "MOST_BYTES", 60)
    monkeypatch.setattr(sample_objects, "MOST_BYTES_IN_ALL", 100)
    for name, size in (("a.pdf", 50), ("b.pdf", 61), ("c.pdf", 50), ("d.pdf", 50)):
        (tmp_path / name).write_bytes(b"%PDF-".ljust(size))
    with (tmp_path / "huge.pdf").open("wb") as huge:
        huge.truncate(6 << 30)
    taken, refused = read(tmp_path)
    assert [*taken] == ["in/a.pdf", "in/c.pdf"]
    assert refused == {
        "b.pdf": "it has 61 bytes, and the emulated S3 keeps its objects in memory: 60 at most",
        "d.pdf": "the emulated S3 keeps its objects in memory, and what was taken before is enough: 100 bytes at most",
        "huge.pdf": "it has 6,442,450,944 bytes, and the emulated S3 keeps its objects in memory: 60 at most",
    }
