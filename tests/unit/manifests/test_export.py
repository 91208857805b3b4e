"""A manifest exported in other forms."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import StringIO
from typing import Any

import pytest

from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.export import FORMS, SharedNames, base_name, folded
from processor.page import page
from tests.manifest_lines import url

AWKWARD = ['"quoted", and more.pdf', "../up.pdf", "<b>&amp;.pdf", "a.pdf", "a.pdf/b.pdf", "line\nbreak.pdf", "é.pdf"]
ENTRIES = [Entry(key, url(f"{number}")) for number, key in enumerate(sorted(AWKWARD))]


def export(form: str, entries: list[Entry] = ENTRIES) -> str:
    """Return the whole export."""
    return "".join(FORMS[form](iter(entries)))


def test_urls_are_written_one_a_line() -> None:
    """For any program that reads such a list."""
    assert export("urls").splitlines() == [entry.url for entry in ENTRIES]


def test_aria2_gets_a_safe_name_for_each_file() -> None:
    """A key can neither leave the folder nor break the line."""
    lines = export("aria2").splitlines()
    assert lines[::6] == [entry.url for entry in ENTRIES]
    assert set(lines[2::6]) == {"  continue=true"}, "a second call writes no second file"
    named = dict(zip(sorted(AWKWARD), lines[1::6], strict=True))
    assert all(line.startswith("  out=") for line in named.values())
    assert named["../up.pdf"] == "  out=%2E%2E/up.pdf"
    assert named["line\nbreak.pdf"] == "  out=line%0Abreak.pdf"
    assert named["a.pdf/b.pdf"] == "  out=a.pdf%d/b.pdf"


def test_keys_that_one_file_name_would_take_on_windows_are_counted() -> None:
    """aria2 and curl write one over the other there; ``export`` cannot know where its output is used."""
    names = SharedNames(folded)
    keys = ("A.pdf", "a.pdf", "b.pdf", "e\u0301.pdf", "\u00c9.pdf", "\u00e9.pdf")
    assert [entry.key for entry in names.watched(Entry(key, url(key)) for key in keys)] == [*keys]
    assert (names.shared, names.first) == (3, "a.pdf")


def test_urls_that_share_a_file_name_are_counted() -> None:
    """``wget -i`` and ``curl -O`` would overwrite files, or number them."""
    names = SharedNames(base_name)
    entries = [Entry(key, url(key)) for key in ("a/x.pdf", "b/x.pdf", "b/y.pdf", "c/", "d/x.pdf")]
    assert list(names.watched(iter(entries))) == entries
    assert (names.shared, names.first) == (3, "b/x.pdf")


def cells(entries: list[Entry]) -> list[list[str]]:
    """Return the cells of the CSV as a spreadsheet reads them, without the byte order mark."""
    text = export("csv", entries)
    assert text.startswith("\ufeff"), "Excel reads a file without it in its own code page"
    return list(csv.reader(StringIO(text.removeprefix("\ufeff"), newline="")))


def test_csv_reads_back_unchanged() -> None:
    """Quotes, commas and line breaks included."""
    head, *rows = cells(ENTRIES)
    assert head == ["key", "url", "expires_at", "note"]
    assert [(row[0], row[1]) for row in rows] == [(entry.key, entry.url) for entry in ENTRIES]
    assert {(row[2], row[3]) for row in rows} == {("2026-04-01T06:45:15Z", "")}


def test_csv_has_a_column_for_each_fact_in_the_lines() -> None:
    """A size of zero is a number; a missing fact is empty."""
    described = [Entry("a", url("0"), size=0, etag="9b2c-2"), Entry("b", url("1"), etag="=1")]
    head, *rows = cells(described)
    assert head == ["key", "size", "etag", "url", "expires_at", "note"]
    assert [row[:3] for row in rows] == [["a", "0", "9b2c-2"], ["b", "", "'=1"]]


@pytest.mark.parametrize(
    "key",
    [
        '=HYPERLINK("http://evil.example","open")',
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\uff1d1",
        "'=1",
    ],
)
def test_csv_has_no_cell_that_a_spreadsheet_runs(key: str) -> None:
    """An apostrophe makes it text."""
    assert cells([Entry(key, url("0"))])[1][0] == f"'{key}"


def test_csv_changes_no_other_key_and_keeps_all_distinct() -> None:
    """Also in a spreadsheet that splits at semicolons or tabs: each cell is quoted."""
    keys = ["a;=1.pdf", "a-b.pdf", "'quoted'.pdf", "é.pdf"]
    assert [row[0] for row in cells([Entry(key, url("0")) for key in keys])[1:]] == keys
    assert '"a;=1.pdf","https' in export("csv", [Entry("a;=1.pdf", url("0"))])
    alike = ["=1", "'=1", "''=1"]
    assert len({row[0] for row in cells([Entry(key, url("0")) for key in alike])}) == 4


WEEK = "X-Amz-Date=20260401T063015Z&X-Amz-Expires=604800"


@pytest.mark.parametrize("name", ["X-Amz-Security-Token", "x-amz-security-token"])
def test_csv_and_page_do_not_promise_a_week_for_links_of_a_session(name: str) -> None:
    """They expire with it: after 36 hours at the latest."""
    of_session = [Entry("a.pdf", url("a.pdf", query=f"{WEEK}&{name}=abc&X-Amz-Signature=0"))]
    (row,) = cells(of_session)[1:]
    assert row[2:] == ["2026-04-02T18:30:15Z", "ends earlier, with the session that signed it"]
    ends = int(datetime(2026, 4, 2, 18, 30, 15, tzinfo=UTC).timestamp() * 1000)
    text = export("html", of_session)
    assert f'"ends":{ends}' in text
    assert "They end earlier if the session that signed them does." in text
    own = [Entry("a.pdf", url("a.pdf", query=f"{WEEK}&X-Amz-Signature=0"))]
    assert cells(own)[1][2:] == ["2026-04-08T06:30:15Z", ""]


def test_the_page_marks_archived_objects_and_shows_download_names() -> None:
    """The name only where it differs from the key."""
    some = [Entry("a.pdf", url("0"), storage_class="GLACIER"), Entry("b:c.pdf", url("1")), Entry("d.pdf", url("2"))]
    text = export("html", some)
    assert ",null,null,null,1]" in text
    assert '"b%3Ac.pdf"]' in text


class Markup(HTMLParser):
    """The tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:  # noqa: ARG002
        self.tags.append(tag)


def test_the_page_has_no_markup_from_a_key() -> None:
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


def test_the_page_has_the_common_parts_of_urls_once() -> None:
    """A link costs its key and its signature, whatever the session token's length."""
    token = "X-Amz-Security-Token=" + "t" * 800
    many = [Entry(f"{n}.pdf", f"{url(f'{n}.pdf')}&{token}") for n in range(1000)]
    text = "".join(page(iter(many)))
    assert text.count(token) == 1
    assert len(text) - len("".join(page(iter([])))) < 250 * len(many)


def test_the_page_does_not_put_versions_into_its_table() -> None:
    """Each URL names its own: the table of common parts would grow by one text a file."""
    made = export("html", [Entry(f"{at}.pdf", f"{url(str(at))}&versionId={at:032x}") for at in range(5)])
    tables = re.findall(r'"parts":(\[[^]]*\])', made)
    assert len(tables) == 1
    assert "versionId" not in tables[0]
    assert all(f'"versionId={at:032x}"' in made for at in range(5))
