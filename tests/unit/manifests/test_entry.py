"""The facts of a manifest's line about its object and its URL."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from presign_siblings.manifests.entry import Entry
from processor.signing import CloudFrontSigner, Distribution
from tests.manifest_lines import SIGNATURE, url

SIGNED_AT = datetime(2026, 4, 1, 6, 30, 15, tzinfo=UTC)


class Key:
    """A private key whose signatures nobody verifies."""

    def sign(self, message: bytes) -> bytes:
        """Return a signature."""
        return message[:8]


@pytest.mark.parametrize(
    ("entry", "before"),
    [
        (Entry("a b.pdf", url("a%20b.pdf")), ""),
        (Entry("a/é.pdf", url("reports/a/%C3%A9.pdf", host="127.0.0.1:9000")), "reports/"),
        (Entry("a%2Fb.pdf", url("a%252Fb.pdf")), ""),
        (Entry("a.pdf", url("b.pdf")), None),
        (Entry("a.pdf", url("a.pdf", query="X-Amz-Date=1")), None),
        (Entry("a.pdf", url("x/y/a.pdf")), "x/y/"),
    ],
)
def test_a_url_matches_its_key_or_not(entry: Entry, before: str | None) -> None:
    """With the bucket in the host or in the path; a key is decoded once."""
    assert entry.before_key == before


def test_the_path_before_the_key_is_read() -> None:
    """Nothing, the bucket, or the path of an endpoint."""
    signed = "?X-Amz-Signature=0"
    urls = {"h/a": "", "h/bucket/a": "bucket/", "h/s3/bucket/a": "s3/bucket/", "h/ba": None, "h/b": None}
    assert {url: Entry("a", f"http://{url}{signed}").before_key for url in urls} == urls
    assert Entry("a", "http://h/a").before_key is None


def test_the_bucket_is_in_the_host_or_right_before_the_key() -> None:
    """An endpoint's path is not part of it: ``refresh`` refused ``s3/reports`` as a bucket."""
    host = "reports.s3.eu-west-1.amazonaws.com"
    urls = {f"{host}/a": "reports", "h/reports/a": "reports", "h/s3/reports/a": "reports", "h/a": None, "h/b": None}
    urls["own-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/a"] = None
    assert {url: Entry("a", f"http://{url}").bucket for url in urls} == urls


def test_the_expiry_is_read_from_the_url() -> None:
    """From its signed date and seconds."""
    assert Entry("a", url("a")).lifetime.dies_at == datetime(2026, 4, 1, 6, 45, 15, tzinfo=UTC)
    assert Entry("a", url("a", query=SIGNATURE)).lifetime.dies_at is None


def test_the_expiry_is_read_from_the_url_wherever_its_signature_stands() -> None:
    """Links of one second are told apart by their signatures alone, and read once; other signers write it first."""
    query = f"{SIGNATURE}&X-Amz-Date=20260401T063015Z&X-Amz-Security-Token=x&X-Amz-Expires=900"
    assert Entry("a", url("a", query=query)).lifetime == (datetime(2026, 4, 1, 6, 45, 15, tzinfo=UTC),) * 2 + (True,)
    assert Entry("b", url("b", query=f"other={SIGNATURE}")).lifetime == (None, None, False)


@pytest.mark.parametrize(("token", "hours"), [("", 168), ("&X-Amz-Security-Token=x", 36)])
def test_a_week_is_believed_only_where_no_session_signed(token: str, hours: int) -> None:
    """AWS gives no session of more than 36 hours, and its links end with it."""
    query = f"X-Amz-Date=20260401T063015Z&X-Amz-Expires=604800{token}&{SIGNATURE}"
    assert Entry("a", url("a", query=query)).lifetime.ends_at == SIGNED_AT + timedelta(hours=hours)


@pytest.mark.parametrize("starts", [None, SIGNED_AT])
@pytest.mark.parametrize("policy", ["canned", "prefix"])
def test_the_expiry_of_a_link_of_cloudfront_is_read_from_its_query_or_its_policy(
    policy: str, starts: datetime | None
) -> None:
    """The policy's start is not its end."""
    fields: dict[str, Any] = {"domain": "d1.cloudfront.net", "key_pair_id": "K1", "key": Key()}
    to = Distribution(**fields, policy=policy, prefix="in/~~~", starts_at=starts)  # ~ becomes + or / in base64
    (made,) = asyncio.run(CloudFrontSigner(to, 30 * 86_400, lambda: SIGNED_AT).sign(["in/~~~"])).urls
    assert Entry("in/~~~", made).lifetime == (SIGNED_AT + timedelta(days=30),) * 2 + (False,)


@pytest.mark.parametrize("date", ["X-Amz-Date=20261399T999999Z&", "X-Amz-Date=99991231T235959Z&", ""])
@pytest.mark.parametrize("token", ["", "X-Amz-Security-Token=x&"])
@pytest.mark.parametrize("expiry", ["X-Amz-Expires=900", "Policy=x", "Expires=1790000000"])
def test_an_impossible_date_gives_no_expiry(expiry: str, token: str, date: str) -> None:
    """A manifest is input like any other: such a line ended verify, download and export with a traceback."""
    found = Entry("a", url("a", query=f"{date}{token}{expiry}&{SIGNATURE}")).lifetime
    assert found.dies_at == found.ends_at
    assert (found.dies_at is None) is not expiry.startswith("Expires")


def test_the_facts_of_a_line_are_read_as_the_manifest_writes_them() -> None:
    """The ETag has its quotes, as S3 gives it; null means that the listing lacked the fact."""
    line = b'{"key": "a", "size": 7, "etag": "\\"9b2c\\"", "checksum_type": null, "url": "https://x/a?Signature=1"}\n'
    entry = Entry.parse(line)
    assert (entry.size, entry.etag, entry.checksum_type) == (7, "9b2c", None)
    assert not entry.differs(7, "9b2c")
    with pytest.raises(ValueError, match="not text"):
        Entry.parse(b'{"key": "a", "url": null}\n')


@pytest.mark.parametrize(
    "hostile",
    [
        "javascript:alert(1)//",
        "file:///etc/passwd",
        '=HYPERLINK("http://evil.example")',
        'http://h/a"\noutput = "/home/ann/.bashrc',
        "http://h/a\n  dir=/home/ann\n  out=.bashrc",
        "http://h/a\thttp://other/a",
        "http://h/\\",
        "http://h/\ud800",
        "HTTP://h/a",
        " http://h/a",
        "a.pdf",
    ],
)
def test_a_line_with_any_other_url_than_a_link_is_refused(hostile: str) -> None:
    """A script in the exported page, an option of curl or aria2, a formula of a spreadsheet, a file of this machine."""
    written = json.dumps({"key": "a", "url": f"{hostile}?Signature=1"}).encode()
    with pytest.raises(ValueError, match="has a url that is not http or https, or holds a character that no URL has"):
        Entry.parse(written)
    with pytest.raises(ValueError, match="has a url"):
        Entry.parse(written.replace(b', "url"', b', "size": 7, "url"'))
