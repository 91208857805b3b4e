"""Manifests are verified and downloaded over HTTP, also from a server that misbehaves."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from presign_siblings import connections
from presign_siblings.cli.main import main
from presign_siblings.errors import CommandError
from presign_siblings.manifests import attempts, reader
from presign_siblings.manifests.check import Faults
from presign_siblings.manifests.download import Download
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.requests import FetchError
from presign_siblings.manifests.safe_folder import Folder
from presign_siblings.manifests.url_checks import Answers
from presign_siblings.manifests.verify import Report, verify
from tests.manifest_lines import stream
from tests.web import Answer, Web

if TYPE_CHECKING:
    from pathlib import Path

    from presign_siblings.manifests.downloaded import Downloaded
    from presign_siblings.manifests.reader import Counted
    from tests.scripted_s3 import ScriptedS3

NOW = datetime(2099, 4, 1, 6, 30, tzinfo=UTC)


def written(urls: dict[str, str]) -> Counted:
    """Return a manifest of these keys and URLs."""
    lines = (json.dumps({"key": key, "url": url}) + "\n" for key, url in sorted(urls.items()))
    return stream("".join(lines).encode())


def verified(urls: dict[str, str], sample: int | None = None, now: datetime = NOW, head: Any = None) -> Report:
    """Verify a manifest."""
    with Fetcher() as fetcher:
        answers = Answers(fetcher, head, "reports")
        return verify(reader.lines(written(urls)), answers, now, sample=sample, concurrency=4)


def wrong(report: Report) -> dict[str, str]:
    """Return the failed checks: their names and findings."""
    return {check.name: check.seen for check in report.checks if not check.passed}


def downloaded(urls: dict[str, str], path: Path) -> Downloaded:
    """Download a manifest."""
    with Folder(path) as folder, Fetcher() as fetcher:
        return Download(folder, fetcher).run(reader.entries(written(urls)), 4)


def files(path: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def test_a_correct_manifest_passes(web: Web) -> None:
    """All of its URLs are fetched, or as many as were asked for."""
    urls = {f"{n:03}.pdf": web.serve(f"/{n:03}.pdf", Answer(b"%PDF" * n)) for n in range(40)}
    report = verified(urls)
    assert report.passed, wrong(report)
    assert (report.count, report.fetched) == (40, 40)
    few = verified(urls, sample=7)
    assert (few.passed, few.fetched) == (True, 7)
    none = verified(urls, sample=0)
    assert (none.passed, none.fetched, len(none.checks)) == (True, 0, 4)


def test_a_url_that_does_not_give_its_object_is_found(web: Web) -> None:
    """Refused, missing, truncated, and bytes that a checksum refutes."""
    crc32 = {"x-amz-checksum-crc32": "AAAAAA=="}
    urls = {
        "cut.pdf": web.serve("/cut.pdf", Answer(b"%PDF-1.4", cut=3)),
        "fine.pdf": web.serve("/fine.pdf", Answer(b"%PDF")),
        "gone.pdf": web.serve("/gone.pdf", Answer(status=404)),
        "other.pdf": web.serve("/other.pdf", Answer(b"%PDF", headers=crc32)),
        "refused.pdf": web.serve("/refused.pdf", Answer(status=403)),
    }
    (seen,) = wrong(verified(urls)).values()
    assert seen.startswith("4 wrong: ")
    for problem in (
        "gone.pdf: HTTP 404",
        "refused.pdf: HTTP 403",
        "other.pdf: the bytes do not match",
        "cut.pdf: no connection, or it broke",
    ):
        assert problem in seen
    assert "Signature" not in seen


def test_a_manifest_is_read_to_its_end_before_its_objects_are_fetched(web: Web) -> None:
    """A store closes a response that is not read for a minute: with large objects, verify --all "broke off"."""
    lines, padding = 300, " " * 60_000  # more than socket buffers hold
    urls = [web.serve(f"/{n:03}", Answer(b"%PDF")) for n in range(lines)]
    body = "".join(f'{{"key": "{n:03}",{padding}"url": "{url}"}}\n' for n, url in enumerate(urls)).encode()
    web.first = "/m"
    called = CliRunner().invoke(main, ["verify", web.serve("/m", Answer(body)), "--all", "--json"])
    assert json.loads(called.stdout)["fetched"] == lines, called.output
    assert called.exit_code == 0, called.output


def test_an_etag_that_is_not_an_md5_is_not_compared(web: Web) -> None:
    """That of a multipart upload, and that of an object encrypted with a KMS key."""
    kms = {"ETag": '"' + "0" * 32 + '"', "x-amz-server-side-encryption": "aws:kms"}
    urls = {
        "kms.pdf": web.serve("/kms.pdf", Answer(b"%PDF", headers=kms)),
        "parts.pdf": web.serve("/parts.pdf", Answer(b"%PDF", headers={"ETag": '"' + "0" * 32 + '-7"'})),
    }
    assert verified(urls).passed


NO_MD5 = {"ETag": '"' + "0" * 32 + '"'}


def test_an_etag_that_only_looks_like_an_md5_is_reported(web: Web, tmp_path: Path) -> None:
    """As of an encrypting gateway: bytes that came twice the same are the object's, and the store is remembered."""
    urls = {f"{n}.pdf": web.serve(f"/{n}.pdf", Answer(b"%PDF" * n, headers=NO_MD5)) for n in range(40)}
    report = verified(urls)
    assert report.passed, wrong(report)
    assert "the ETag is no MD5 of the bytes for 40 objects" in report.checks[-1].seen
    web.asked.clear()
    done = downloaded(urls, tmp_path)
    assert (done.fetched, done.failed, done.etags.other + done.etags.unproven) == (40, 0, 40)
    assert len(web.asked) < 50, "more than the first few were fetched twice"
    again = downloaded(urls, tmp_path)
    assert (again.fetched + again.kept, again.failed) == (40, 0)
    assert again.kept > 30


@pytest.mark.parametrize("etag", [None, NO_MD5["ETag"]], ids=["ETag is an MD5", "ETag is not"])
def test_bytes_that_a_connection_changed_are_not_kept(web: Web, tmp_path: Path, etag: str | None) -> None:
    """The next try brings other bytes."""
    own = {"ETag": etag or f'"{hashlib.md5(b"%PDF", usedforsecurity=False).hexdigest()}"'}
    url = web.serve("/a", Answer(b"%PDX", headers=own, times=1), Answer(b"%PDF", headers=own))
    assert downloaded({"a.pdf": url}, tmp_path).fetched == 1
    assert files(tmp_path) == {"a.pdf": b"%PDF"}


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-sha256": "AAAA"},
        {"x-amz-checksum-sha1": "AAAA"},
        {"x-amz-checksum-crc32": "AAAAAA=="},
        {"x-goog-hash": "crc32c=AAAAAA==, md5=AAAA"},
    ],
    ids=str,
)
def test_a_checksum_in_the_response_decides(web: Web, tmp_path: Path, headers: dict[str, str]) -> None:
    """Whatever the ETag is."""
    done = downloaded({"a.pdf": web.serve("/a", Answer(b"%PDF", headers=headers))}, tmp_path)
    assert (done.failed, dict(done.failures)) == (
        1,
        {"a.pdf": "the bytes do not match the checksum"},
    )
    assert files(tmp_path) == {}


def test_a_checksum_of_parts_is_not_compared(web: Web, tmp_path: Path) -> None:
    """Nor is one of an unknown algorithm."""
    headers = {"x-amz-checksum-sha256": "AAAA-3", "x-amz-checksum-crc64nvme": "AAAA", "ETag": '"' + "0" * 32 + '-3"'}
    composite = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-type": "COMPOSITE", "ETag": headers["ETag"]}
    urls = {f"{n}.pdf": web.serve(f"/{n}", Answer(b"%PDF", headers=h)) for n, h in enumerate((headers, composite))}
    assert downloaded(urls, tmp_path).fetched == 2


def test_an_existing_file_with_other_bytes_is_fetched_again(web: Web, tmp_path: Path) -> None:
    """It has the same size: the size alone proves little."""
    (tmp_path / "a.pdf").write_bytes(b"xxxx")
    url = web.serve("/a", Answer(b"%PDF"))
    done = downloaded({"a.pdf": url}, tmp_path)
    assert (done.fetched, done.kept) == (1, 0)
    assert files(tmp_path) == {"a.pdf": b"%PDF"}
    again = downloaded({"a.pdf": url}, tmp_path)
    assert (again.fetched, again.kept) == (0, 1)


def test_an_existing_file_proves_the_bytes_of_an_etag_that_is_not_an_md5(web: Web, tmp_path: Path) -> None:
    """They came once before; the same bytes a second time are enough."""
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    done = downloaded({"a.pdf": web.serve("/a", Answer(b"%PDF", headers=NO_MD5))}, tmp_path)
    assert (done.fetched, done.etags.other) == (1, 1)
    assert len(web.asked) == 2, "a first byte, then the object once"


def test_an_object_that_changed_since_it_was_listed_is_reported(web: Web, tmp_path: Path) -> None:
    """Where the manifest's lines hold size or ETag; a deleted object is a failure."""
    lines = [
        {"key": "a.pdf", "size": 4, "url": web.serve("/a.pdf", Answer(b"%PDF"))},
        {"key": "b.pdf", "size": 9, "url": web.serve("/b.pdf", Answer(b"%PDF"))},
        {"key": "c.pdf", "size": 4, "etag": "0" * 32, "url": web.serve("/c.pdf", Answer(b"%PDF"))},
        {"key": "d.pdf", "size": 4, "url": web.serve("/d.pdf", Answer(refused("NoSuchKey"), status=404))},
    ]
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()

    with Folder(tmp_path) as folder, Fetcher() as fetcher:
        done = Download(folder, fetcher).run(reader.entries(stream(body)), 4)
        report = verify(reader.lines(stream(body)), Answers(fetcher), NOW, sample=None, concurrency=4)
    assert (done.fetched, done.changed, done.failed) == (3, 2, 1)
    (seen,) = wrong(report).values()
    assert seen.startswith("3 wrong: ")
    assert "c.pdf: the object has changed since it was listed" in seen
    assert "d.pdf: NoSuchKey (HTTP 404)" in seen


def refused(code: str, message: str = "No") -> bytes:
    """Return an S3 error response."""
    return f"<Error><Code>{code}</Code><Message>{message}</Message><Key>a</Key></Error>".encode()


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("AccessDenied", "Request has expired", "the link has expired: ask whoever sent it"),
        ("AccessDenied", "Access Denied", "may not read the object"),
        ("ExpiredToken", "The provided token has expired.", "the session that signed the link has ended"),
        ("InvalidObjectState", "The operation is not valid", "its owner must restore it first"),
        ("NoSuchKey", "The specified key does not exist.", "the object no longer exists"),
        ("PermanentRedirect", "The bucket you are", "the bucket is in eu-central-1"),
        ("InvalidRequest", "The object was stored using a form of Server Side Encryption", "only its owner has"),
        # Over http, or through a CloudFront distribution that signs nothing for S3 (origin access identity).
        ("InvalidArgument", "Requests specifying Server Side Encryption with AWS KMS managed keys", "an https link"),
        ("KMS.DisabledException", "arn is disabled", "the key that the object is encrypted with"),
    ],
)
def test_a_refusal_is_reported_by_s3s_own_code_with_advice(
    web: Web, tmp_path: Path, code: str, message: str, advice: str
) -> None:
    """Its reader may have nothing but the link."""
    answer = Answer(refused(code, message), status=403, headers={"x-amz-bucket-region": "eu-central-1"})
    done = downloaded({"a.pdf": web.serve("/a", answer)}, tmp_path)
    (why,) = dict(done.failures).values()
    assert why.startswith(f"{code} (HTTP 403)")
    assert advice in why
    assert done.passing == 0, "a retry would not help"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(b"<html>Sign in</html>", headers={"ETag": "", "Content-Type": "text/html"}), "answer of text/html"),
        (
            Answer(b"<html>", status=302, headers={"Location": "http://portal.example/"}),
            "HTTP 302; it redirects elsewhere",
        ),
    ],
)
def test_a_sign_in_page_is_never_saved_under_a_files_name(
    web: Web, tmp_path: Path, answer: Answer, message: str
) -> None:
    """A hotel's network answered each of 30 links with its page and status 200."""
    done = downloaded({"a.pdf": web.serve("/a", answer)}, tmp_path)
    assert message in dict(done.failures)["a.pdf"]
    assert not (tmp_path / "a.pdf").exists()


def test_an_error_that_echoes_the_url_gives_no_credential_away(web: Web, tmp_path: Path) -> None:
    """Some stores repeat the request in their message."""
    echo = refused("AccessDenied", "https://x/a?X-Amz-Signature=0123 is refused")
    (why,) = dict(downloaded({"a.pdf": web.serve("/a", Answer(echo, status=403))}, tmp_path).failures).values()
    assert "0123" not in why


@pytest.mark.parametrize(
    ("code", "tries"), [("AccessDenied", 20), ("InvalidObjectState", 200), ("InvalidRequest", 200)]
)
def test_equal_refusals_in_a_row_end_the_download(web: Web, tmp_path: Path, code: str, tries: int) -> None:
    """5,000 dead links are not all tried; archived objects of one folder may be followed by others."""
    urls = {f"{n:04}.pdf": web.serve(f"/{n:04}.pdf", Answer(refused(code), status=403)) for n in range(600)}
    done = downloaded(urls, tmp_path)
    assert done.stopped == f"{tries} in a row were refused with {code}"
    assert tries <= len(web.asked) <= tries + 8
    web.asked.clear()
    report = verified(urls)
    assert tries <= len(web.asked) <= tries + 8
    assert report.count == 600, "the lines are read to their end"
    assert f"stopped, {tries} in a row were refused with {code}, " in wrong(report)["URLs give their objects' bytes"]


def test_verify_reports_archived_objects(web: Web) -> None:
    """By S3's refusal, whatever facts the lines hold."""
    urls = {f"{n}.pdf": web.serve(f"/{n}.pdf", Answer(refused("InvalidObjectState"), status=403)) for n in range(3)}
    seen = wrong(verified(urls))
    assert seen["no object waits in an archive"] == "of those fetched, archived and not restored: 3"


def test_refusals_with_successes_between_them_end_nothing(web: Web, tmp_path: Path) -> None:
    """One in ten succeeds: all are tried."""
    urls = {
        f"{n:03}.pdf": web.serve(f"/{n}", Answer(b"%PDF") if n % 10 == 0 else Answer(refused("NoSuchKey"), status=404))
        for n in range(300)
    }
    done = downloaded(urls, tmp_path)
    assert (done.fetched, done.failed, done.stopped) == (30, 270, None)


def test_objects_are_saved_as_stored_whatever_their_encoding(web: Web, tmp_path: Path) -> None:
    """Also from a store that decompresses for a client that asks for no encoding, as Google's does."""
    packed = gzip.compress(b"%PDF" * 50)
    unpacked = Answer(b"%PDF" * 50, headers={"x-goog-stored-content-encoding": "gzip"}, times=1)
    urls = {
        "a.pdf": web.serve("/a.pdf", Answer(packed, headers={"Content-Encoding": "gzip"})),
        "b.pdf": web.serve("/b.pdf", Answer(b"no zstd", headers={"Content-Encoding": "zstd"})),
        "c.pdf": web.serve("/c.pdf", unpacked, Answer(packed, headers={"Content-Encoding": "gzip"})),
    }
    assert downloaded(urls, tmp_path).fetched == 3
    assert files(tmp_path) == {"a.pdf": packed, "b.pdf": b"no zstd", "c.pdf": packed}
    assert verified({"a.pdf": urls["a.pdf"]}).passed


def test_verify_can_compare_with_s3_itself(web: Web) -> None:
    """That finds an old version from a cache."""

    class Head:
        def head_object(self, **request: str) -> dict[str, Any]:
            assert request == {"Bucket": "reports", "Key": "a.pdf"}
            return {"ContentLength": 5, "ETag": '"x"'}

    report = verified({"a.pdf": web.serve("/a.pdf", Answer(b"%PDF"))}, head=Head())
    assert "S3 has 5 bytes, 4 came" in wrong(report)["URLs give their objects' bytes"]


def test_each_line_is_checked_whatever_it_holds(web: Web) -> None:
    """One report names all that is wrong."""
    good = web.serve("/a.pdf", Answer(b"%PDF"))
    body = b"".join(
        (
            json.dumps({"key": "b.pdf", "url": good}).encode() + b"\n",
            b"garbage\n",
            json.dumps({"key": "a.pdf", "url": good}).encode() + b"\n",
            json.dumps({"key": "a.pdf", "url": good}).encode() + b"\n",
            json.dumps({"key": "c.pdf", "url": f"{web.address}/c.pdf?X-Amz-Signature=0"}).encode() + b"\n",
        )
    )

    with Fetcher() as fetcher:
        report = verify(reader.lines(stream(body)), Answers(fetcher), NOW, sample=0, concurrency=1)
    assert wrong(report) == {
        "every line is a key and its URL": "1 wrong: line 2 is not JSON",
        "every key once": "1 key comes twice, 1 line goes back: not in S3's order",
        "every URL is signed, and for its key": "1 wrong: line 1",
        "every URL is still alive": "1 URL does not say when it dies",
    }


def test_dead_urls_are_reported_by_their_date(web: Web) -> None:
    """Without a request."""
    url = web.serve("/a.pdf", Answer(b"%PDF"))
    report = verified({"a.pdf": url}, sample=0, now=datetime(2099, 4, 3, 6, 45, 15, tzinfo=UTC))
    assert wrong(report)["every URL is still alive"].startswith("dead for 2 d: the first died at 2099-04-01T06:45")


def test_minutes_are_not_reported_as_a_fraction_of_days(web: Web) -> None:
    """0.01 days would help nobody."""
    url = web.serve("/a.pdf", Answer(b"%PDF"))
    report = verified({"a.pdf": url}, sample=0, now=datetime(2099, 4, 1, 6, 35, 15, tzinfo=UTC))
    assert next(each.seen for each in report.checks if "alive" in each.name).startswith("10 min left: ")


def test_a_file_that_is_not_a_manifest_is_reported_once(tmp_path: Path) -> None:
    """Not by a line for each check, of which some pass, and not by the first wrong line alone."""
    (tmp_path / "notes").write_text("hello\nworld\n")
    result = CliRunner().invoke(main, ["verify", str(tmp_path / "notes")])
    assert result.exit_code == 3
    assert result.stdout == "FAILED it is a manifest: no line of 2 is a key and its URL: line 1 is not JSON\n"


@pytest.mark.parametrize("status", [503, 429, 408])
def test_a_busy_server_is_asked_again(web: Web, status: int) -> None:
    """503 is S3's Slow Down; 408 is how a load balancer closes a connection that was idle for too long."""
    urls = {"a.pdf": web.serve("/a.pdf", Answer(status=status, times=2), Answer(b"%PDF"))}
    assert verified(urls).passed
    assert len(web.asked) == 3


def test_a_retry_waits_as_long_as_the_server_asks(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """``Retry-After``, as of stores with a limit a second; dates are ignored, and minutes are capped."""
    waited = list[float]()
    monkeypatch.setattr(attempts.again, "__defaults__", (waited.append,))
    for headers in ("3", "600", "Fri, 1 Apr 2099"), ("9" * 5000,):
        busy = [Answer(status=429, headers={"Retry-After": each}, times=1) for each in headers]
        assert verified({"a.pdf": web.serve("/a.pdf", *busy, Answer(b"%PDF"))}).passed
    assert waited == [3, attempts.MOST_SECONDS, 0, attempts.MOST_SECONDS]


def test_an_object_is_fetched_as_it_is_stored(web: Web) -> None:
    """It is not decompressed, and a redirect is not followed, as that would send the signature elsewhere."""
    zipped = Answer(b"\x1f\x8b not really", headers={"Content-Encoding": "gzip"})
    elsewhere = Answer(status=302, headers={"Location": f"{web.address}/a.pdf"})
    urls = {"a.pdf": web.serve("/a.pdf", zipped), "b.pdf": web.serve("/b.pdf", elsewhere)}
    assert "b.pdf: HTTP 302" in wrong(verified(urls))["URLs give their objects' bytes"]


def test_a_path_is_sent_as_it_was_signed(web: Web) -> None:
    """Its dots, doubled slashes and escapes stay."""
    for path in ("/a/../b/./c%2Fd//e%20f.pdf", "/%E2%82%AC+~.pdf"):
        url = web.serve(path, Answer(b"%PDF"))
        with Fetcher() as fetcher:
            assert fetcher.get(url).size == 4
    assert [path for path, _ in web.asked] == ["/a/../b/./c%2Fd//e%20f.pdf", "/%E2%82%AC+~.pdf"]


def test_a_download_brings_every_object_under_its_key(web: Web, tmp_path: Path) -> None:
    """A second download fetches nothing: the files exist."""
    urls = {f"2026/{n:02}/é.pdf": web.serve(f"/{n}", Answer(b"x" * n)) for n in range(20)}
    first = downloaded(urls, tmp_path)
    assert (first.fetched, first.kept, first.failed, first.size) == (20, 0, 0, sum(range(20)))
    assert files(tmp_path) == {f"2026/{n:02}/é.pdf": b"x" * n for n in range(20)}
    web.asked.clear()
    again = downloaded(urls, tmp_path)
    assert (again.fetched, again.kept) == (0, 20)
    assert {asked for _, asked in web.asked} == {"bytes=0-0"}


def test_a_file_of_another_size_is_fetched_again(web: Web, tmp_path: Path) -> None:
    """Half a file of an earlier try, or an object that has changed."""
    url = web.serve("/a", Answer(b"whole"))
    (tmp_path / "a.pdf").write_bytes(b"ha")
    assert downloaded({"a.pdf": url}, tmp_path).fetched == 1
    assert files(tmp_path) == {"a.pdf": b"whole"}


def test_a_failed_object_is_reported_and_leaves_no_file(web: Web, tmp_path: Path) -> None:
    """The others are fetched all the same; an old file stays."""
    urls = {
        "a.pdf": web.serve("/a", Answer(b"%PDF")),
        "b.pdf": web.serve("/b", Answer(status=403)),
        "c.pdf": web.serve("/c", Answer(b"0123456789", cut=4)),
        "d.pdf": web.serve("/d", Answer(b"\0" * 9, headers={"x-amz-checksum-sha1": "AAAA"})),
    }
    (tmp_path / "d.pdf").write_bytes(b"old")
    done = downloaded(urls, tmp_path)
    assert (done.fetched, done.failed) == (1, 3)
    assert dict(done.failures)["b.pdf"] == "HTTP 403"
    assert files(tmp_path) == {"a.pdf": b"%PDF", "d.pdf": b"old"}


def test_keys_cannot_lead_out_of_the_folder(web: Web, tmp_path: Path) -> None:
    """Neither by dots, nor by a slash, nor by a link."""
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "pdfs" / "link").symlink_to(tmp_path / "outside")
    url = web.serve("/a", Answer(b"%PDF"))
    done = downloaded(
        dict.fromkeys(("../up.pdf", "/root.pdf", "link/a.pdf", "x.pdf", "x.pdf/y.pdf"), url), tmp_path / "pdfs"
    )
    assert [key for key, _ in done.failures] == ["link/a.pdf"]
    assert files(tmp_path) == {
        f"pdfs/{name}": b"%PDF" for name in ("%2E%2E/up.pdf", "%/root.pdf", "x.pdf", "x.pdf%d/y.pdf")
    }


def test_a_manifest_out_of_order_is_not_downloaded(web: Web, tmp_path: Path) -> None:
    """That no two keys share a file name depends on the order."""
    url = web.serve("/a", Answer(b"%PDF"))
    body = b"".join(json.dumps({"key": key, "url": url}).encode() + b"\n" for key in ("b.pdf", "a.pdf"))

    with (
        Folder(tmp_path) as folder,
        Fetcher() as fetcher,
        pytest.raises(CommandError, match="line 2 of the manifest is out of order"),
    ):
        Download(folder, fetcher).run(reader.entries(stream(body)), 4)


def test_a_full_disk_ends_the_download(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million equal failures would help nobody."""
    url = web.serve("/a", Answer(b"%PDF"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Download, "_written", full)
    with pytest.raises(OSError, match="No space left"):
        downloaded({"a.pdf": url}, tmp_path)


def test_a_read_only_folder_need_not_change_when_it_has_all_files(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A medium or a share may forbid writing; the folder is named once a file is missing."""
    urls = {"a.pdf": web.serve("/a", Answer(b"%PDF"))}
    downloaded(urls, tmp_path)
    open_ = os.open

    def refuse(path: Any, flags: int = os.O_CREAT, *more: int, **named: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system", path)
        return open_(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "unlink", refuse)
    assert downloaded(urls, tmp_path).kept == 1
    with pytest.raises(OSError, match=f"Read-only file system: '{tmp_path}'"):
        downloaded({**urls, "b.pdf": web.serve("/b", Answer(b"%PDF"))}, tmp_path)


def test_an_error_does_not_contain_the_url() -> None:
    """Not even when no server answers."""
    with Fetcher() as fetcher, pytest.raises(FetchError) as raised:
        fetcher.get("http://127.0.0.1:1/a?X-Amz-Signature=0123")
    assert "Signature" not in str(raised.value)
    assert Entry("a", "http://127.0.0.1:1/a?X-Amz-Signature=0123").before_key == ""


def test_a_million_faults_take_no_more_memory_than_a_few() -> None:
    """A manifest whose links are all dead is read to its end as well."""
    faults = Faults()
    for number in range(1000):
        faults.add(f"line {number}")
    assert (faults.count, len(faults.first)) == (1000, 5)
    assert faults.summary("fine") == "1,000 wrong: line 0; line 1; line 2; line 3; line 4"


def test_a_manifest_is_read_without_asking_for_a_checksum(
    scripted_s3: ScriptedS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backblaze B2 refuses boto3's ``x-amz-checksum-mode``, so no command could read a manifest there."""
    scripted_s3.objects["m.jsonl"] = b""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", scripted_s3.endpoint)
    connections.client("s3").get_object(Bucket="reports", Key="m.jsonl")
    ((_, headers),) = scripted_s3.sent
    assert "x-amz-checksum-mode" not in headers
