"""Every key has a file name of its own, safe wherever it is used."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.page import Names

if TYPE_CHECKING:
    from collections.abc import Iterable

# Keys that a careless mapping would merge, or misread.
NASTY = ("%", "%d", "%2E", "%~", "~", "con", "nul.pdf", "\\", ":", "\n", "\u202e", "d", "2E", "/", ".", "..", "", " ")
ALIKE = ("a", "A", "b", "x.pdf", "X.PDF", "é", "e\u0301", "n" * 300, "n" * 299 + "m", "報" * 90)
PIECES = st.sampled_from((*NASTY, *ALIKE))
KEYS = st.lists(PIECES, min_size=1, max_size=5).map("".join).filter(bool) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=40
)


def paths(keys: Iterable[str], *, folds: bool = False) -> dict[str, tuple[str, ...]]:
    """Return the path of each key, in S3's order as a manifest has them."""
    names = Names(folds=folds)
    return {key: names.path(key) for key in sorted(set(keys))}


def folded(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return a path as a file system without case and composition sees it."""
    return tuple(unicodedata.normalize("NFC", each).casefold() for each in path)


@given(st.lists(KEYS, max_size=12))
def test_no_two_keys_share_a_file_and_no_file_is_anothers_folder(keys: list[str]) -> None:
    """Whatever the keys."""
    found = paths(keys)
    assert len(set(found.values())) == len(found)
    folders = {path[:depth] for path in found.values() for depth in range(1, len(path))}
    assert not folders & set(found.values())


@given(st.lists(KEYS, max_size=12))
def test_file_names_stay_distinct_without_case_and_composition(keys: list[str]) -> None:
    """As on a Mac or on Windows."""
    found = [folded(path) for path in paths(keys, folds=True).values()]
    assert len(set(found)) == len(found)
    folders = {path[:depth] for path in found for depth in range(1, len(path))}
    assert not folders & set(found)


@given(KEYS, st.booleans(), st.sampled_from([143, 255]))
def test_every_segment_is_a_safe_name(key: str, folds: bool, longest: int) -> None:  # noqa: FBT001 - drawn
    """Not empty, not a step up, not absolute, not too long, nothing that controls a terminal."""
    for segment in Names(folds=folds, longest=longest).path(key):
        assert segment not in {"", ".", ".."}
        assert "/" not in segment
        assert len(segment.encode()) <= longest
        assert PurePosixPath(segment).name == segment
        assert PureWindowsPath(segment).name == segment
        assert not any(unicodedata.category(c) == "Cc" for c in segment)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("2026/04/report.pdf", ("2026", "04", "report.pdf")),
        ("résumé (1).pdf", ("résumé (1).pdf",)),
        ("/etc/passwd", ("%", "etc", "passwd")),
        ("../../etc/passwd", ("%2E%2E", "%2E%2E", "etc", "passwd")),
        ("a//b.pdf", ("a", "%", "b.pdf")),
        ("100%.pdf", ("100%25.pdf",)),
        ("C:\\x.pdf", ("C%3A%5Cx.pdf",)),
        ("nul.pdf", ("%6Eul.pdf",)),
        ("NUL .pdf", ("%4EUL .pdf",)),
        ("com\u00b9/LPT\u00b3.txt", ("%63om\u00b9", "%4CPT\u00b3.txt")),
        ("CONIN$", ("%43ONIN$",)),
        ("conout$.txt", ("%63onout$.txt",)),
        ("console.pdf", ("console.pdf",)),
        ("trailing .", ("trailing %2E",)),
        (" leading/ blank", ("%20leading", "%20blank")),
        (" ", ("%20",)),
        ("x.pdf.aria2", ("x.pdf%2Earia2",)),
        ("folder/", ("folder", "%")),
        (".hidden.pdf", (".hidden.pdf",)),
    ],
)
def test_a_key_stays_as_readable_as_possible(key: str, path: tuple[str, ...]) -> None:
    """Plain names are unchanged."""
    assert Names().path(key) == path


def test_a_folder_is_renamed_for_the_file_of_its_name() -> None:
    """S3 has no folders, so both may exist."""
    found = paths(["x.pdf", "x.pdf-old", "x.pdf/a/b.pdf", "x.pdf/a", "x/y.pdf"])
    assert found["x.pdf"] == ("x.pdf",)
    assert found["x.pdf/a"] == ("x.pdf%d", "a")
    assert found["x.pdf/a/b.pdf"] == ("x.pdf%d", "a%d", "b.pdf")
    assert found["x/y.pdf"] == ("x", "y.pdf")


def test_a_long_name_keeps_its_ending() -> None:
    """Viewers are chosen by it."""
    (name,) = Names().path("n" * 1000 + ".pdf")
    assert name.endswith(".pdf")
    assert name.startswith("nnn")
