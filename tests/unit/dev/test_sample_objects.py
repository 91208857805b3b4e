"""The PDFs of the rehearsal: valid, all different, under names that a careless client gets wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from dev import sample_objects

if TYPE_CHECKING:
    from pathlib import Path


def test_a_made_pdf_has_a_true_table_of_offsets() -> None:
    """A reader finds every object where the table says it is."""
    body = sample_objects.pdf("Report number 7")
    table = int(re.findall(rb"startxref\n(\d+)\n%%EOF\n", body)[0])
    assert body[table:].startswith(b"xref\n0 6\n0000000000 65535 f \n")
    offsets = [int(line[:10]) for line in body[table:].split(b"\n")[3:8]]
    assert [body[offset:].split(b"\n")[0] for offset in offsets] == [b"%d 0 obj" % number for number in range(1, 6)]
    length, stream = re.findall(rb"/Length (\d+) >>\nstream\n(.*)\nendstream", body)[0]
    assert int(length) == len(stream)
    assert b"(Report number 7) Tj" in stream


@pytest.mark.parametrize("count", [1, 40, 3000])
def test_as_many_pdfs_are_made_as_asked_all_different(count: int) -> None:
    """And some objects that are no PDFs on top."""
    items = list(sample_objects.made(count, "in/"))
    found = [item for item in items if item.is_pdf]
    assert len(found) == count
    assert len({item.key for item in items}) == len(items) == count + len(sample_objects.NO_PDFS)
    assert len({item.body for item in found}) == count
    assert all(item.key.startswith("in/") and len(item.key.encode()) <= 1024 for item in items)


def test_the_same_call_makes_the_same_pdfs() -> None:
    """What failed once can be made again."""
    assert list(sample_objects.made(50, "")) == list(sample_objects.made(50, ""))


def test_a_name_of_the_longest_length_is_among_them() -> None:
    """S3 takes 1,024 bytes."""
    assert max(len(item.key.encode()) for item in sample_objects.made(40, "in/")) == 1024


def test_every_listed_name_is_awkward_and_every_numbered_one_is_not() -> None:
    """The proof downloads all of the former and some of the latter."""
    items = [item for item in sample_objects.made(60, "in/") if item.is_pdf]
    assert all(item.is_awkward for item in items[: len(sample_objects.AWKWARD) + 1])
    assert not any(item.is_awkward for item in items[len(sample_objects.AWKWARD) + 1 :])


def test_a_folder_gives_its_pdfs_under_their_relative_paths(tmp_path: Path) -> None:
    """Those of all folders in it, whatever the case of their suffix."""
    for name in ("b.pdf", "sub/deep/A.PDF", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert {item.key: item.body for item in sample_objects.found(tmp_path, "in/")} == {
        "in/b.pdf": b"b.pdf",
        "in/sub/deep/A.PDF": b"sub/deep/A.PDF",
    }
