"""A manifest in other forms."""

from __future__ import annotations

import csv
from html.parser import HTMLParser
from io import StringIO
from typing import Any

from presign_siblings.manifests.export import FORMS
from presign_siblings.manifests.page import page
from presign_siblings.manifests.reader import Entry
from tests.manifest_lines import url

AWKWARD = ['"quoted", and more.pdf', "../up.pdf", "<b>&amp;.pdf", "a.pdf", "a.pdf/b.pdf", "line\nbreak.pdf", "é.pdf"]
ENTRIES = [Entry(key, url(f"{number}")) for number, key in enumerate(sorted(AWKWARD))]


def export(form: str, entries: list[Entry] = ENTRIES) -> str:
    """Return the whole of it."""
    return "".join(FORMS[form](iter(entries)))


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


class Markup(HTMLParser):
    """The tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:  # noqa: ARG002
        self.tags.append(tag)


def test_the_page_holds_no_markup_of_a_key() -> None:
    """A key is data, never a tag or the end of a script; title and contact are text."""
    hostile = [Entry("</script><img src=x>.pdf", url("0")), Entry("<!--.pdf", url("1"))]
    parser, empty = Markup(), Markup()
    parser.feed("".join(page(iter(hostile), "<b>April</b>", '"><script>alert(1)</script>')))
    empty.feed("".join(page(iter([]))))
    assert parser.tags.count("script") == empty.tags.count("script") + 1, "one chunk of data"
    assert "img" not in parser.tags
    assert "b" not in parser.tags


def test_the_page_loads_nothing_from_anywhere() -> None:
    """It works from a file, and no server learns that it was opened."""
    text = export("html")
    assert "no-referrer" in text
    assert "default-src 'none'" in text
    assert 'src="' not in text


def test_the_page_sends_what_urls_share_once() -> None:
    """A link costs its key and its signature, whatever the session token's length."""
    token = "X-Amz-Security-Token=" + "t" * 800
    many = [Entry(f"{n}.pdf", f"{url(f'{n}.pdf')}&{token}") for n in range(1000)]
    text = "".join(page(iter(many)))
    assert text.count(token) == 1
    assert len(text) - len("".join(page(iter([])))) < 250 * len(many)
