"""Manifests are read line by line from any place, and an invalid line is reported without its content."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import MagicMock
from urllib.parse import quote

import pytest

from presign_siblings.errors import CommandError, NotFoundError, WrongUseError
from presign_siblings.manifests import reader
from presign_siblings.manifests.entry import MAX_LINE, Entry
from presign_siblings.manifests.line_checks import Reading
from presign_siblings.manifests.location import S3Place, place, shown
from tests.manifest_lines import QUERY, line, stream
from tests.web import Answer, serving

if TYPE_CHECKING:
    from collections.abc import Iterable


def keys(entries: Iterable[Entry]) -> list[str]:
    """Return the keys of some entries."""
    return [entry.key for entry in entries]


def test_plain_and_gzip_are_distinguished_by_their_bytes(tmp_path: Path) -> None:
    """Whatever the file's name."""
    body = b"".join(map(line, ("a.pdf", "b.pdf")))
    for written in (body, gzip.compress(body)):
        path = tmp_path / "manifest"
        path.write_bytes(written)
        with reader.opened(path, lambda: cast("Any", None)) as opened:
            assert keys(reader.entries(opened)) == ["a.pdf", "b.pdf"]
            assert opened.seen == len(written)


def test_an_empty_manifest_has_no_entry() -> None:
    """Of a prefix without PDFs."""
    assert keys(reader.entries(stream(b""))) == []
    assert keys(reader.entries(stream(gzip.compress(b"")))) == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"no json\n", "line 1 of the manifest is not JSON"),
        (line("a") + b'{"key": "b"}\n', "line 2 of the manifest must have the fields"),
        (line("a") + b'{"url": "u", "key": "b"}\n', "and no others"),
        (b'{"key": 1, "url": "u"}\n', "not text"),
        (b'{"key": "", "url": "u"}\n', "not text"),
        (line("a")[:-2], "line 1 of the manifest is cut off"),
        (line("a") + b"\n \n" + line("b")[:-40], "line 4 of the manifest is cut off"),
        (b"[" * 60_000 + b"\n", "line 1 of the manifest is not JSON"),
        (b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>\n", "is XML or HTML: an error"),
        (line("a").decode().encode("utf-16"), "line 1 of the manifest holds zero bytes: the file is UTF-16"),
        (b"PK\x03\x04\0\0", r"line 1 of the manifest holds zero bytes: .* packed \(only gzip is read\)"),
        (line("a").decode().encode("utf-16-be"), "line 1 of the manifest holds zero bytes: the file is UTF-16"),
        (b"\x28\xb5\x2f\xfd packed otherwise", "is not JSON"),
        (b"x" * (MAX_LINE + 2), "is longer than"),
        (line("b") + line("a"), "line 2 of the manifest is out of order"),
        (line("a") + line("a"), "or its key comes twice"),
        (line("\U0001f4c8") + line("\ue000"), "out of order"),
    ],
)
def test_a_wrong_line_is_named_by_its_number(body: bytes, why: str) -> None:
    """And without its content, which may be a URL."""
    with pytest.raises(CommandError, match=why) as raised:
        keys(reader.entries(stream(body)))
    assert "X-Amz" not in str(raised.value)


@pytest.mark.parametrize("cut", [1, 12, 200])
def test_a_truncated_gzip_stream_is_refused(cut: int) -> None:
    """However much of it is read; its end would look like the manifest's."""
    body = gzip.compress(b"".join(line(f"{number:05}.pdf") for number in range(300)))
    with pytest.raises(CommandError, match="damaged"):
        keys(reader.entries(stream(body[:-cut])))


@pytest.mark.parametrize("body", [line("a") + line("b")[:-1], b"\n" + line("a") + b"\r\n \n" + line("b") + b"\n"])
def test_a_manifest_that_was_edited_or_pasted_is_accepted(body: bytes) -> None:
    """An editor, or a terminal, omits the last line break, or adds blank lines."""
    for written in (body, gzip.compress(body)):
        assert keys(reader.entries(stream(written))) == ["a", "b"]
        reading = Reading(0, random.Random(0))
        assert [entry.key for each in reader.lines(stream(written)) if (entry := reading.read(each))] == ["a", "b"]
        assert (reading.count, reading.malformed.count) == (2, 0)
        assert reading.read(b"wrong") is None
        assert reading.malformed.first == [f"line {len(body.splitlines()) + 1} is not JSON"]


@pytest.mark.parametrize("body", [line("a.pdf"), line("a.pdf")[:-1]])
def test_a_truncated_download_is_refused(body: bytes) -> None:
    """A plain manifest would lack lines, and look complete."""
    with pytest.raises(CommandError, match="broke off after"):
        keys(reader.entries(stream(body, size=len(body) + 1)))


def test_an_error_about_another_file_is_not_a_missing_manifest(tmp_path: Path) -> None:
    """A command that could not find a file of its own reported the manifest as missing."""
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="page"), reader.opened(path, lambda: pytest.fail("no S3 is needed")):
        raise FileNotFoundError("page.html")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With the exit code for it, and with blanks that came along by copy and paste."""
    opened = reader.opened(tmp_path / "nowhere ", lambda: pytest.fail("no S3 is needed"))
    with pytest.raises(NotFoundError, match=r"no file '.*nowhere '"), opened:
        pass


def test_places_are_distinguished_by_their_beginning() -> None:
    """A key is not decoded; a path may have any characters."""
    assert place("s3://reports/a%20b?") == S3Place("reports", "a%20b?")
    assert place("https://x/y") == "https://x/y"
    assert place("s3/reports") == Path("s3/reports")
    with pytest.raises(WrongUseError, match="is not s3://"):
        place("s3:///key")


def test_a_url_is_shown_without_its_credential() -> None:
    """No query, no user."""
    assert shown(f"https://me:secret@host/a?{QUERY}") == "https://host/a"
    assert (
        shown(f"https://host/{quote(f'https://host/a?{QUERY}', safe='')}")
        == f"https://host/{quote('https://host/a', safe='')}"
    )
    assert shown("s3://reports/a?b") == "s3://reports/a?b"


@pytest.mark.parametrize("written", [" https://host/a?{}", "<https://host/a?{}>", "host/a?{}", "HTTPS://host/a?{}"])
def test_a_badly_copied_link_is_shown_without_its_query(written: str, tmp_path: Path) -> None:
    """It was taken as a file name, which the message showed whole; an existing file of such a name is read."""
    with pytest.raises(WrongUseError, match="begins with https://") as refused:
        place(written.format(QUERY))
    assert "X-Amz" not in str(refused.value)
    of_wget = tmp_path / f"a?{QUERY[-100:]}"
    of_wget.touch()
    assert place(str(of_wget)) == of_wget


@pytest.mark.parametrize(
    "address",
    [
        "http://host/a b",
        "http://host/a\nb",
        "http://host:port/a",
        "http://[::1/a",
        "http://host/\u00e9",
        f"http://{'a' * 70}/",
    ],
)
def test_a_broken_url_of_a_manifest_is_reported_without_its_query(address: str) -> None:
    """As a mail breaks it: the error of urllib has the whole URL, and was a traceback."""
    with pytest.raises(WrongUseError, match="is it whole, and on one line") as refused:
        reader.opened(f"{address}?{QUERY}", MagicMock()).__enter__()
    assert "X-Amz" not in str(refused.value)


def test_an_unreachable_url_of_a_manifest_is_reported_with_the_next_step() -> None:
    """No option that sets an endpoint of AWS can help."""
    with (
        pytest.raises(CommandError, match="no server listens there; check the URL and the network$"),
        reader.opened("http://127.0.0.1:1/m?X-Amz-Signature=0", lambda: cast("Any", None)),
    ):
        pass


def test_a_url_cut_by_the_shell_is_recognised() -> None:
    """Without quotes it ends at its first &, and lacks its signature."""
    with serving() as web:
        web.serve("/m", Answer(status=403))
        with pytest.raises(CommandError, match="answered 403; .* in quotes, or the shell cuts it"):
            reader.opened(f"{web.address}/m?X-Amz-Algorithm=AWS4-HMAC-SHA256", MagicMock()).__enter__()


@pytest.mark.parametrize(
    ("status", "code", "words", "reason"),
    [
        (403, "SignatureDoesNotMatch", "no match", "SignatureDoesNotMatch .* the link was changed on its way"),
        (403, "AccessDenied", "Request has expired", "AccessDenied .* the link has expired"),
        (400, "ExpiredToken", "expired", "ExpiredToken .* the session that signed the link has ended"),
        (403, "", "", "HTTP 403; a presigned URL dies with its expiry or its session"),
    ],
)
def test_a_refused_url_of_a_manifest_is_reported_with_the_stores_code(
    status: int, code: str, words: str, reason: str
) -> None:
    """A mail had cut the link, or extended it, and the message mentioned only its expiry."""
    body = f"<Error><Code>{code}</Code><Message>{words}</Message></Error>".encode() if code else b""
    with serving() as web:
        url = web.serve("/m", Answer(body, status=status))
        with pytest.raises(CommandError, match=f"/m answered {reason}") as refused:
            reader.opened(f"{url}?{QUERY}", MagicMock()).__enter__()
    assert "X-Amz" not in str(refused.value)


def test_a_manifest_with_an_invalid_content_length_is_read_to_its_end() -> None:
    """Python's own client ignores such a header; ours ended with a traceback."""
    with serving() as web:
        url = web.serve("/m", Answer(line("a"), headers={"Content-Length": "many"}))
        with reader.opened(url, MagicMock()) as opened:
            assert opened.read(1) == b"{"
            assert opened.size is None


def test_a_bucket_alone_is_refused() -> None:
    """boto3 would name a parameter of its own."""
    with pytest.raises(WrongUseError, match="s3://reports/ names no manifest"):
        reader.opened(S3Place("reports", ""), MagicMock()).__enter__()
