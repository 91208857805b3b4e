"""A manifest in other forms."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from io import StringIO
from typing import Any

from presign_siblings.manifests.export import FORMS
from presign_siblings.manifests.reader import Entry
from tests.unit.manifests.test_reader import url

AWKWARD = ['"quoted", and more.pdf', "../up.pdf", "<b>&amp;.pdf", "a.pdf", "a.pdf/b.pdf", "line\nbreak.pdf", "é.pdf"]
ENTRIES = [Entry(key, url(f"{number}")) for number, key in enumerate(sorted(AWKWARD))]


def export(form: str, entries: list[Entry] = ENTRIES) -> str:
    """Return the whole of it."""
    return "".join(FORMS[form](iter(entries)))


class Links(HTMLParser):
    """What a browser makes of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self._href = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        self.tags.append(tag)
        self._href = dict(attrs)["href"] if tag == "a" else ""

    def handle_data(self, data: str) -> None:
        if self._href:
            self.links.append((data, self._href))
            self._href = ""


def test_urls_come_one_a_line() -> None:
    """For any program that reads such a list."""
    assert export("urls").splitlines() == [entry.url for entry in ENTRIES]


def test_aria2_gets_a_safe_name_for_each() -> None:
    """A key that leads out, or breaks the line, does neither."""
    lines = export("aria2").splitlines()
    assert lines[::2] == [entry.url for entry in ENTRIES]
    named = dict(zip(sorted(AWKWARD), lines[1::2], strict=True))
    assert all(line.startswith("  out=") for line in named.values())
    assert named["../up.pdf"] == "  out=%2E%2E/up.pdf"
    assert named["line\nbreak.pdf"] == "  out=line%0Abreak.pdf"
    assert named["a.pdf/b.pdf"] == "  out=a.pdf%d/b.pdf"


def test_csv_reads_back_as_it_was() -> None:
    """Quotes, commas and line breaks included."""
    head, *rows = csv.reader(StringIO(export("csv"), newline=""))
    assert head == ["key", "url", "expires_at"]
    assert [(key, address) for key, address, _ in rows] == [(entry.key, entry.url) for entry in ENTRIES]
    assert {row[2] for row in rows} == {"2026-04-01T06:45:15Z"}


def test_the_page_has_a_link_a_key_and_no_markup_of_a_key() -> None:
    """A key is a text, never a tag or a script."""
    parser = Links()
    parser.feed(export("html"))
    assert parser.links == [(entry.key, entry.url) for entry in ENTRIES]
    assert "b" not in parser.tags
    assert parser.tags.count("script") == 1


def test_the_page_says_how_many_and_until_when() -> None:
    """And loads nothing from anywhere; an empty one is a page too."""
    page = export("html")
    assert "7 files. The links work until 2026-04-01 06:45 UTC at most." in page
    assert "no-referrer" in page
    assert "src=" not in page
    assert "0 files. Whoever" in export("html", [])
