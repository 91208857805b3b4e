"""A download as its user calls it, from servers that break off, change objects, or close connections."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from dev.checkout import REPOSITORY
from presign_siblings.cli.main import main
from presign_siblings.manifests import attempts
from presign_siblings.manifests.http import CUT, Fetcher
from presign_siblings.manifests.part_file import CONTINUED
from presign_siblings.manifests.requests import FetchError
from presign_siblings.manifests.turns import at_once
from tests.web import Answer, Web, breaking, raw

if TYPE_CHECKING:
    from pathlib import Path

NO_MD5 = {"ETag": '"' + "0" * 32 + '"'}
LARGE = bytes(range(256)) * (CONTINUED // 128)


def download(folder: Path, urls: dict[str, str], *options: str, code: int = 0) -> dict[str, object]:
    """Download, as a script does; return the result."""
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps({"key": key, "url": url}) + "\n" for key, url in urls.items()))
    called = CliRunner().invoke(main, ["download", str(manifest), str(folder / "to"), "--json", *options])
    assert called.exit_code == code, called.output
    result: dict[str, object] = json.loads(called.stdout)
    return result


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of the target folder."""
    to = folder / "to"
    return {each.relative_to(to).as_posix(): each.read_bytes() for each in to.rglob("*") if each.is_file()}


def test_names_are_utf_8_in_any_locale(web: Web, tmp_path: Path) -> None:
    """ISO 8859 lacks most characters; the first name with one of them ended with a traceback."""
    keys = ["é/日本.pdf", "ü.pdf"]
    lines = [json.dumps({"key": key, "url": web.serve(f"/{n}", Answer(b"%PDF"))}) for n, key in enumerate(keys)]
    (tmp_path / "manifest.jsonl").write_text("".join(f"{line}\n" for line in lines))
    done = subprocess.run(
        [sys.executable, "-m", "presign_siblings", "download", "manifest.jsonl", "to"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        capture_output=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(files(tmp_path)) == sorted(keys)


def test_names_are_as_short_as_the_file_system_demands(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An encrypted share takes 143 bytes, some 47 characters of Chinese: such files could not come."""
    monkeypatch.setattr(os, "pathconf", lambda *_: 143)
    urls = {f"{'報' * 50}/{'書' * 60}{at}.pdf": web.serve(f"/{at}", Answer(b"%PDF")) for at in range(2)}
    assert download(tmp_path, urls)["fetched"] == 2
    assert download(tmp_path, urls, "--dry-run")["present"] == 2
    names = [path.name for path in (tmp_path / "to").rglob("*")]
    assert (len(names), max(len(name.encode()) for name in names) <= 143) == (3, True)
    assert all(name.startswith("書" * 20) and name.endswith(".pdf") for name in names[1:])


def test_a_partial_file_is_continued(web: Web, tmp_path: Path) -> None:
    """By a retry of the same call, and by the next call: only the missing bytes come."""
    broken = Answer(LARGE, cut=len(LARGE) // 2, times=5)
    url = web.serve("/a", broken)
    assert download(tmp_path, {"a.pdf": url}, code=3)["failed"] == 1
    began = [asked for _, asked in web.asked]
    assert began[0] is None
    assert all(asked is not None for asked in began[1:]), "a retry began anew"
    assert all(name.endswith(("%part", "%part.etag")) for name in files(tmp_path))
    web.serve("/a", Answer(b"<Error><Code>ExpiredToken</Code></Error>", status=403))
    assert download(tmp_path, {"a.pdf": url}, code=3)["failed"] == 1, "the link may have a successor"
    web.asked.clear()
    web.serve("/a", Answer(LARGE))
    result = download(tmp_path, {"a.pdf": url})
    assert result["fetched"] == 1
    assert result["bytes"] <= len(LARGE) // 2  # type: ignore[operator]
    assert files(tmp_path) == {"a.pdf": LARGE}


def test_a_connection_that_breaks_every_few_megabytes_brings_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only tries that begin no further on than the last count as failures; the fourth was the end."""
    monkeypatch.setattr(attempts, "FIRST_WAIT_SECONDS", 0.0)
    with raw(*breaking(LARGE, 16)) as url:
        assert download(tmp_path, {"a.pdf": url})["bytes"] == len(LARGE), "not those of the last try alone"
    assert files(tmp_path) == {"a.pdf": LARGE}


@pytest.mark.parametrize("conditions", [True, False])
def test_a_partial_file_of_a_changed_object_begins_again(web: Web, tmp_path: Path, *, conditions: bool) -> None:
    """No file mixes two versions, even from a store that ignores If-Match and sends no checksum."""
    url = web.serve("/a", Answer(LARGE, headers={"ETag": '"old-2"'}, cut=9, times=5))
    download(tmp_path, {"a.pdf": url}, code=3)
    web.serve("/a", Answer(LARGE[::-1], headers={"ETag": '"new-2"'}, conditions=conditions))
    download(tmp_path, {"a.pdf": url})
    assert files(tmp_path) == {"a.pdf": LARGE[::-1]}


def test_a_checksum_in_the_response_to_a_range_is_not_compared(web: Web, tmp_path: Path) -> None:
    """It may be that of the part or that of the whole."""
    first = Answer(LARGE, headers={"ETag": '"abc-2"'}, cut=9, times=1)
    rest = replace(first, headers=first.headers | {"x-amz-checksum-crc32": "AAAAAA=="}, cut=0, times=0)
    assert download(tmp_path, {"a.pdf": web.serve("/a", first, rest)})["fetched"] == 1
    assert [asked for _, asked in web.asked] == [None, f"bytes={len(LARGE) - 9}-"]
    assert files(tmp_path) == {"a.pdf": LARGE}


def test_a_file_whose_object_became_shorter_ends_with_it(web: Web, tmp_path: Path) -> None:
    """The checksum is that of the bytes that came, and says nothing of older bytes in the file."""
    url = web.serve("/a", Answer(LARGE, cut=9, times=5))
    download(tmp_path, {"a.pdf": url}, code=3)
    web.serve("/a", Answer(b"%PDF"))
    download(tmp_path, {"a.pdf": url})
    assert files(tmp_path) == {"a.pdf": b"%PDF"}


def test_a_partial_file_overwritten_by_another_version_is_not_continued(web: Web, tmp_path: Path) -> None:
    """The object was restored, so its ETag fits again, but the file's bytes are not its beginning."""
    old = Answer(LARGE, headers={"ETag": '"old-2"'})
    url = web.serve("/a", replace(old, cut=9, times=5))
    download(tmp_path, {"a.pdf": url}, code=3)
    web.serve("/a", Answer(b"x" * 1000, headers={"ETag": '"new-2"'}, cut=9))
    download(tmp_path, {"a.pdf": url}, code=3)
    web.serve("/a", old)
    download(tmp_path, {"a.pdf": url})
    assert files(tmp_path) == {"a.pdf": LARGE}


def test_a_damaged_partial_file_is_found_by_the_etag(web: Web, tmp_path: Path) -> None:
    """On a disk that lost the end of a file, say: it comes again, whole."""
    url = web.serve("/a", Answer(LARGE, cut=len(LARGE) // 2, times=5))
    download(tmp_path, {"a.pdf": url}, code=3)
    (part,) = (tmp_path / "to").glob("*%part")
    part.write_bytes(b"x" * part.stat().st_size)
    web.serve("/a", Answer(LARGE))
    download(tmp_path, {"a.pdf": url})
    assert files(tmp_path) == {"a.pdf": LARGE}


def test_only_the_requested_keys_are_fetched(web: Web, tmp_path: Path) -> None:
    """A limit of the rate changes nothing else."""
    urls = {key: web.serve(f"/{key}", Answer(b"%PDF")) for key in ("2026/b.pdf", "2026/a.txt", "2025/a.pdf")}
    options = ("--exclude", "*", "--include", "2026/*", "--exclude", "*.txt")
    assert download(tmp_path, urls, *options, "--dry-run")["missing"] == 1
    assert download(tmp_path, urls, *options, "--bwlimit", "10M")["fetched"] == 1
    assert files(tmp_path) == {"2026/b.pdf": b"%PDF"}
    wrong = CliRunner().invoke(main, ["download", "m", "to", "--bwlimit", "fast"])
    assert (wrong.exit_code, "'fast' is not a rate such as 10M" in wrong.output) == (2, True)


def test_a_file_has_the_same_name_whichever_other_keys_are_fetched(web: Web, tmp_path: Path) -> None:
    """Beside the file "a", the folder is "a%d"; a download of the folder alone made it "a"."""
    urls = {key: web.serve(f"/{at}", Answer(key.encode())) for at, key in enumerate(("a", "a/b"))}
    some = ("--exclude", "*", "--include", "a/*")
    assert download(tmp_path, urls, *some, "--dry-run")["missing"] == 1
    assert download(tmp_path, urls, *some)["fetched"] == 1
    assert download(tmp_path, urls)["fetched"] == 1
    assert files(tmp_path) == {"a": b"a", "a%d/b": b"a/b"}
    assert download(tmp_path, urls, *some, "--dry-run")["present"] == 1


def test_checksums_are_compared_unless_the_user_declines(web: Web, tmp_path: Path) -> None:
    """As with rclone's option of this name: a long file takes half the time, and only its length is checked."""
    wrong = {"x-amz-checksum-crc32": "AAAAAA=="}
    urls = {f"{n}.pdf": web.serve(f"/{n}", Answer(b"%PDF", headers=each)) for n, each in enumerate([wrong, NO_MD5])}
    assert download(tmp_path, urls, "--ignore-checksum")["fetched"] == 2
    assert len(web.asked) == 2, "an object was fetched twice"
    assert download(tmp_path, urls, "--ignore-checksum")["kept"] == 2
    (tmp_path / "to" / "0.pdf").unlink()
    assert download(tmp_path, urls, code=3)["failed"] == 1


MD5 = hashlib.md5(b"%PDF", usedforsecurity=False).hexdigest()
ETAG = f'ETag: "{MD5}"\r\n'.encode()  # without it a response is no object's
OK = b"HTTP/1.1 200 OK\r\n" + ETAG
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 4\r\n\r\n%PDF",
        CHUNKED + b"2\r\n%P\r\n2;x=y\r\nDF\r\n0\r\nTrailer: x\r\n\r\n",
        OK + b"\r\n%PDF",
        b"HTTP/1.0 200 OK\r\n" + ETAG + b"\r\n%PDF",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 4\r\n\r\n%PDF",
        OK + b"connection:close\r\ncontent-length: 4\r\n\r\n%PDF",
        OK + b"X-Policy: a;\r\n b\r\n\tc: d\r\ncontent-length: 4\r\n\r\n%PDF",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK + b"Content-Length: 4\r\n\r\n%PDF",
        OK + b"Content-Range: bytes 0-3/%s\r\nContent-Length: 4\r\n\r\n%%PDF" % (b"9" * 5000),
        OK + b"Content-Range: bytes 0-3/\xb2\r\nContent-Length: 4\r\n\r\n%PDF",
        OK + b"Content-Length: 5\r\nContent-Length: 4\r\n\r\n%PDF",
    ],
    ids=lambda answer: repr(answer[len(OK) :][:60]),
)
def test_a_response_is_read_however_its_end_is_marked(answer: bytes) -> None:
    """A connection that the server closes afterwards is not used again."""
    with raw((answer,), (answer,)) as url, Fetcher() as fetcher:
        assert fetcher.get(url).size == 4
        assert fetcher.get(url).md5 == MD5


def test_a_length_that_is_given_twice_ends_the_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """As proxies join two equal headers, on a connection that stays open: each file took four minutes, and failed."""
    monkeypatch.setenv("S3_READ_TIMEOUT", "5")

    def serve() -> None:
        with server.accept()[0] as connection:
            while connection.recv(1 << 16):
                connection.sendall(OK + b"Content-Length: 4, 4\r\n\r\n%PDF")

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool, Fetcher() as fetcher:
        pool.submit(serve)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        assert [fetcher.get(url).size for _ in range(2)] == [4, 4]


UNPROVEN = b'HTTP/1.0 200 OK\r\nETag: "abc-2"\r\n\r\n'


@pytest.mark.parametrize("listed", [4, 3, None])
def test_a_response_without_an_end_is_whole_if_it_has_the_listed_size(listed: int | None) -> None:
    """Without a size in the line, nothing could reveal a cut; an object may have grown."""
    with raw((UNPROVEN + b"%PDF",)) as url, Fetcher() as fetcher:
        assert at_once(fetcher.getting(url, listed=listed)).size == 4


def test_a_response_without_an_end_that_is_shorter_than_listed_is_cut() -> None:
    """Of an HTTP/1.0 proxy; it passed as whole. A matching checksum proves that the object has become smaller."""
    with raw((UNPROVEN + b"%P",), (b"HTTP/1.0 200 OK\r\n" + ETAG + b"\r\n%PDF",)) as url, Fetcher() as fetcher:
        with pytest.raises(FetchError, match="2 of 5 listed bytes came") as raised:
            at_once(fetcher.getting(url, listed=5))
        assert (raised.value.code, raised.value.passing) == (CUT, True)
        assert at_once(fetcher.getting(url, listed=5)).size == 4


def test_a_server_that_sends_less_than_the_rest_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache may divide a range otherwise; without a checksum nothing else reveals that more is to come."""
    monkeypatch.setattr(attempts, "FIRST_WAIT_SECONDS", 0.0)
    size, half = len(LARGE), len(LARGE) // 2

    def part(first: int, end: int) -> bytes:
        head = f"Content-Range: bytes {first}-{end - 1}/{size}\r\nContent-Length: {end - first}\r\n\r\n"
        return b'HTTP/1.1 206 Partial Content\r\nETag: "abc-2"\r\n' + head.encode() + LARGE[first:end]

    cut = b'HTTP/1.1 200 OK\r\nETag: "abc-2"\r\n' + f"Content-Length: {size}\r\n\r\n".encode() + LARGE[:half]
    with raw((cut,), (part(half, half + 100),), (part(half + 100, size),)) as url:
        download(tmp_path, {"a.pdf": url})
    assert files(tmp_path) == {"a.pdf": LARGE}


@pytest.mark.parametrize(
    ("key", "headers", "comes"),
    [
        ("a.pdf", {}, False),
        ("a.HTML", {}, True),
        ("a.pdf", {"x-amz-request-id": "1"}, True),
    ],
)
def test_a_page_that_did_not_come_from_a_store_is_not_an_object(
    web: Web, key: str, headers: dict[str, str], *, comes: bool
) -> None:
    """A network's sign-in page over http may have an ETag; it was saved under the file's name."""
    page = Answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html; charset=utf-8", **headers})
    url = web.serve(f"/{key}", page)
    with Fetcher() as fetcher, nullcontext() if comes else pytest.raises(FetchError, match="sign-in page"):
        assert fetcher.get(url).size == len(page.body)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"a: b\r\n" * 300,
        OK + b"a: b\r\n" * 20_000 + b"\r\n",
        OK + b"Content-Length: 9\r\n\r\n%PDF",
        CHUNKED + b"9\r\n%PDF",
        CHUNKED + b"zz\r\n%PDF",
        *(OK + b"Content-Length: %s\r\n\r\n%%PDF" % each for each in (b"9" * 5000, b"-4", b"\xb2", b"many", b"4, 5")),
    ],
    ids=[
        "nothing",
        "no HTTP",
        "no status",
        "no header",
        "no end of the head",
        "an endless head",
        "too short",
        "a chunk too short",
        "a chunk without a size",
        *("too many digits", "a sign", "another script's digit", "a word", "two lengths"),
    ],
)
def test_a_malformed_or_truncated_response_is_a_failure_that_may_pass(answer: bytes) -> None:
    """It never counts as an object, and its message holds no URL."""
    with raw((answer,)) as url, Fetcher() as fetcher, pytest.raises(FetchError) as raised:
        fetcher.get(url)
    assert raised.value.passing
    assert "0123" not in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-OpenSSH\r\n", OK + b"a: b\r\n" * 300, OK + b"Content-Length: 9\r\n\r\n{", CHUNKED + b"9\r\n{"],
    ids=["nothing", "no HTTP", "an endless head", "too short", "a chunk too short"],
)
@pytest.mark.parametrize("command", ["verify", "export"])
def test_a_manifest_at_a_url_that_breaks_off_is_reported_without_its_url(command: str, answer: bytes) -> None:
    """Whatever urllib raises; without a length, only an incomplete chunk reveals that more was to come."""
    with raw((answer,)) as url:
        result = CliRunner().invoke(main, [command, url])
    assert (result.exit_code, result.stdout, result.stderr[:18]) == (1, "", "presign-siblings: "), result.output
    assert "0123" not in result.output
