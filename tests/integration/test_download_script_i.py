"""The exported script, which needs nothing but Python, run as its recipient runs it."""

from __future__ import annotations

import ast
import hashlib
import ntpath
import os
import shlex
import signal
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from presign_siblings.errors import UnfinishedError
from presign_siblings.manifests import download_script
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.export import FORMS
from presign_siblings.manifests.safe_folder import Folder
from presign_siblings.manifests.web import response
from processor.page import Names
from tests.web import Answer, Web, breaking, raw, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT: Any = download_script  # it has no types
SECONDS = 40.0  # the longest wait for a process, on a busy machine
EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


def command(folder: Path, entries: list[Entry], *arguments: str) -> list[str]:
    """Export the script; return the command that runs it with a bare Python."""
    script = folder / "download.py"
    script.write_text("".join(FORMS["script"](iter(entries))), encoding="utf-8")
    return [sys.executable, "-I", "-S", str(script), str(folder / "files"), *arguments]


def run(folder: Path, entries: list[Entry], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script without this project."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    called = command(folder, entries, *arguments)
    return subprocess.run(called, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_is_python_3_8_with_the_standard_library_alone() -> None:
    """A recipient has whatever Python the machine came with."""
    source = Path(download_script.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names


def test_each_file_has_the_name_that_download_gives_it(tmp_path: Path, web: Web) -> None:
    """Awkward keys too; existing files are not fetched again."""
    keys = [
        "../up.pdf",
        "a.pdf",
        "a.pdf.part",
        "a.pdf.part.etag",
        "a.pdf/b.pdf",
        "line\nbreak.pdf",
        "é/ü.pdf",
        "empty.pdf",
    ]
    bodies = {key: (b"" if key == "empty.pdf" else key.encode() * 1000) for key in keys}
    entries = [Entry(key, web.serve(f"/{n}", Answer(bodies[key]))) for n, key in enumerate(sorted(keys))]
    done = run(tmp_path, entries)
    assert done.returncode == 0, done.stderr
    names = {"../up.pdf": "%2E%2E/up.pdf", "a.pdf/b.pdf": "a.pdf%d/b.pdf", "line\nbreak.pdf": "line%0Abreak.pdf"}
    for key, body in bodies.items():
        assert (tmp_path / "files" / names.get(key, key)).read_bytes() == body
    again = run(tmp_path, entries)
    assert "0 fetched" in again.stderr
    assert f"{len(keys)} there already" in again.stderr


def test_each_missing_file_is_named(tmp_path: Path, web: Web) -> None:
    """A count alone does not say what the recipient should ask for."""
    missing = Answer(b"<Error><Code>NoSuchKey</Code></Error>", status=404)
    entries = [Entry(f"{number:02}.pdf", web.serve(f"/{number}", missing)) for number in range(40)]
    done = run(tmp_path, entries)
    assert done.returncode == 1
    assert [each.key for each in entries if f"  {each.key}: the object no longer exists" not in done.stderr] == []


def test_a_truncated_script_downloads_nothing(tmp_path: Path, web: Web) -> None:
    """A copy that was cut between two lines fetched the files before the cut, and ended with 0."""
    called = command(tmp_path, [Entry(key, web.serve(f"/{key}", Answer(b"%PDF"))) for key in ("a.pdf", "b.pdf")])
    script = tmp_path / "download.py"
    whole = script.read_bytes()
    cut = whole[: whole.index(f"{download_script.MARK}{{".encode(), whole.index(b"a.pdf"))]
    for kept, code in ((cut, 1), (whole[:-30], 1), (whole.replace(b"\n", b"\r\n"), 0)):
        script.write_bytes(kept)
        done = subprocess.run(called, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "the end of this script is missing" in done.stderr) == (code, code == 1), done.stderr
        assert len(web.asked) == (0 if code else 2)


def test_a_script_that_comes_through_a_pipe_says_why_it_fails(tmp_path: Path, web: Web) -> None:
    """As in ``curl ... | python3 -``, where its list cannot be found."""
    script = "".join(FORMS["script"](iter([Entry("a.pdf", web.serve("/a", Answer(b"%PDF")))])))
    for arguments in (["-"], []):
        called = [sys.executable, "-I", *arguments]
        done = subprocess.run(
            called, input=script, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert done.stderr == "the list is read from this script: store it in a file, and run that\n"


@pytest.mark.parametrize("gone", ["2>/dev/full", "2>&-", "2>&1 | true"])
def test_a_standard_error_that_cannot_be_written_changes_no_exit_code(tmp_path: Path, web: Web, gone: str) -> None:
    """It was 120, or 1 although every file had come: on a full disk, or with a closed pipe."""
    entries = [Entry("a.pdf", web.serve("/a", Answer(b"%PDF"))), Entry("b.pdf", web.serve("/b", Answer(status=404)))]
    for some, code in ((entries[:1], 0), (entries, 1)):
        line = f"{shlex.join(command(tmp_path, some))} {gone}; exit ${{PIPESTATUS[0]}}"
        assert subprocess.run(["/bin/bash", "-c", line], timeout=60, check=False).returncode == code
        assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


def test_a_folder_that_cannot_be_used_is_reported_in_words(tmp_path: Path, web: Web) -> None:
    """The recipient may have no right to write there, or a file has the folder's name."""
    (tmp_path / "files").write_bytes(b"")
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", Answer(b"%PDF")))])
    assert (done.returncode, done.stderr) == (1, f"the folder {tmp_path / 'files'} cannot be used: File exists\n")


def test_a_partial_file_is_continued(tmp_path: Path, web: Web) -> None:
    """The retry asks for the rest alone, of the same object."""
    body = os.urandom(3_000_000)
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    url = web.serve("/a", Answer(body, cut=2_000_000, times=1), Answer(body, headers={"ETag": etag}))
    done = run(tmp_path, [Entry("a.pdf", url)])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "files" / "a.pdf").read_bytes() == body
    assert any(asked and asked.startswith("bytes=") and asked != "bytes=0-0" for _, asked in web.asked)
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["a.pdf"]


def test_names_are_utf_8_in_any_locale(tmp_path: Path, web: Web) -> None:
    """ISO 8859 and GBK lack characters of keys: these files never came, and others had a name of their own."""
    entries = [Entry(key, web.serve(f"/{at}", Answer(b"%PDF"))) for at, key in enumerate(["é/日本.pdf", "ü.pdf"])]
    called = command(tmp_path, entries)
    called.remove("-I")  # it would ignore how the test demands another encoding
    environment = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for said in ("2 fetched", "2 there already"):
        done = subprocess.run(called, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, said in done.stderr) == (0, True), done.stderr
    files = tmp_path / "files"
    assert sorted(each.relative_to(files).as_posix() for each in files.rglob("*.pdf")) == ["é/日本.pdf", "ü.pdf"]


def test_a_connection_that_breaks_every_few_megabytes_brings_the_whole_file(tmp_path: Path) -> None:
    """Only tries that begin no further on than the last count as failures; the fourth was the end."""
    body = os.urandom(1 << 20)
    with raw(*breaking(body, SCRIPT.TRIES + 4)) as url:
        done = run(tmp_path, [Entry("a.pdf", url)])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "files" / "a.pdf").read_bytes() == body


def test_ctrl_c_ends_the_script_during_a_large_file_and_the_next_run_continues(tmp_path: Path, web: Web) -> None:
    """It waited until all files under way were complete; a second Ctrl-C did not help either."""
    body = os.urandom(3_000_000)
    url = web.serve("/a", Answer(body, pause=5, times=1), Answer(body))
    exported = [Entry("a.pdf", url)]
    part = tmp_path / "files" / "a.pdf%part"
    with subprocess.Popen(command(tmp_path, exported), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + SECONDS
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SECONDS) == 130, "it waited for the end of the body"
        assert process.stderr is not None
        assert process.stderr.read() == "\nstopped; run it again to continue\n"
    assert run(tmp_path, exported).returncode == 0
    assert (tmp_path / "files" / "a.pdf").read_bytes() == body
    assert any(asked and asked.startswith("bytes=") and asked != "bytes=0-0" for _, asked in web.asked)


def test_ctrl_c_before_the_first_file_shows_no_traceback(tmp_path: Path) -> None:
    """Python takes some tenths of a second to load the modules of the network, more on a cold disk."""
    slow = 'import sys, time\nsys.stdout.write("loading\\n")\nsys.stdout.flush()\ntime.sleep(60)\n'
    (tmp_path / "argparse.py").write_text(slow, encoding="utf-8")
    python, _, _, *called = command(tmp_path, [])
    with subprocess.Popen(
        [python, *called], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert (process.communicate(timeout=SECONDS)[1], process.returncode) == ("", -signal.SIGINT)


def test_a_second_download_into_the_folder_is_refused(tmp_path: Path, web: Web) -> None:
    """After a double-click, two wrote into each other's unfinished files; `download` refuses, too."""
    body = os.urandom(3_000_000)
    exported = [Entry("a.pdf", web.serve("/a", Answer(body, pause=0.3, times=1), Answer(body)))]
    with subprocess.Popen(command(tmp_path, exported), stderr=subprocess.PIPE) as first:
        deadline = time.monotonic() + SECONDS
        while not (tmp_path / "files" / "a.pdf%part").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        first.send_signal(signal.SIGSTOP)  # it stays at work until the second has started
        second = run(tmp_path, exported)
        with pytest.raises(UnfinishedError, match="another download works"), Folder(tmp_path / "files"):
            pass
        first.send_signal(signal.SIGCONT)
        assert first.wait(timeout=SECONDS) == 0
    assert second.returncode == 1
    assert second.stderr == f"another download works in {tmp_path / 'files'}: try again when it has ended\n"
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["a.pdf"]
    assert (tmp_path / "files" / "a.pdf").read_bytes() == body


@pytest.mark.parametrize("mark", ["", "W/"])
def test_a_file_of_the_same_size_with_other_bytes_is_fetched_again(tmp_path: Path, web: Web, mark: str) -> None:
    """Size alone proves little; a proxy may weaken an ETag, which is the MD5 all the same."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.pdf").write_bytes(b"xxxx")
    etag = {"ETag": f'{mark}"{hashlib.md5(b"%PDF", usedforsecurity=False).hexdigest()}"'}
    assert run(tmp_path, [Entry("a.pdf", web.serve("/a", Answer(b"%PDF", headers=etag)))]).returncode == 0
    assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


@pytest.mark.parametrize("failing", [{"cut": 2}, {"status": 503}, {"headers": {"ETag": f'"{"0" * 32}"'}}])
def test_a_file_is_not_proved_by_being_compared_twice_with_its_object(
    tmp_path: Path, web: Web, failing: dict[str, Any]
) -> None:
    """After a failed first try, an old or damaged file counted as bytes that came twice the same."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.pdf").write_bytes(b"xxxx")
    good = {"headers": failing.get("headers", {})}
    answers = [Answer(b"%PDF", times=1, **good), Answer(b"%PDF", times=1, **failing), Answer(b"%PDF", **good)]
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", *answers))])
    assert (done.returncode, "1 fetched" in done.stderr) == (0, True), done.stderr
    assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


def test_bytes_that_differ_at_each_try_are_never_saved_under_the_name(tmp_path: Path, web: Web) -> None:
    """After four tries the failure is reported."""
    etag = {"ETag": f'"{"0" * 32}"'}
    bodies = [Answer(b"%PD" + bytes([n]), headers=etag, times=1) for n in range(4)]
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", *bodies))])
    assert done.returncode == 1
    assert "not those that the ETag names" in done.stderr
    assert list((tmp_path / "files").iterdir()) == []


def test_bytes_that_came_twice_are_kept_where_the_etag_is_not_an_md5(tmp_path: Path, web: Web) -> None:
    """Some stores' ETags look like an MD5; an existing file counts as once."""
    entries = [Entry("a.pdf", web.serve("/a", Answer(b"%PDF", headers={"ETag": f'"{"0" * 32}"'})))]
    for _ in range(2):
        done = run(tmp_path, entries)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


@pytest.mark.parametrize("headers", [{"ETag": ""}, {"Content-Type": "text/html"}])
def test_a_sign_in_page_is_never_saved_under_a_files_name(tmp_path: Path, web: Web, headers: dict[str, str]) -> None:
    """A network's page has status 200, and neither ETag nor date, or no other header of a store."""
    page = Answer(b"<html>Sign in</html>", headers=headers)
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", page, page, page, page))])
    assert done.returncode == 1
    assert "the network's sign-in page" in done.stderr
    assert not (tmp_path / "files" / "a.pdf").exists()


OF_S3 = b"HTTP/1.1 200 OK\r\nServer: AmazonS3\r\nx-amz-request-id: 1\r\n"


MALFORMED = {
    "no HTTP.pdf": b"hello\r\n",
    "cut in a chunk.pdf": OF_S3 + b"Transfer-Encoding: chunked\r\n\r\n5\r\n%PD",
    "no chunk.pdf": OF_S3 + b"Transfer-Encoding: chunked\r\n\r\nmany\r\n",
    "no length.pdf": OF_S3 + b"Content-Length: many\r\n\r\n%PDF",
    "no number.pdf": OF_S3 + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n%PDF",
}


def test_malformed_responses_fail_only_their_own_files(tmp_path: Path, web: Web) -> None:
    """They come from a proxy or a gateway."""
    with ExitStack() as servers:
        urls = {name: servers.enter_context(raw_server(response)) for name, response in MALFORMED.items()}
        entries = [Entry(name, f"{url}/a") for name, url in urls.items()]
        done = run(tmp_path, [*entries, Entry("whole.pdf", web.serve("/b", Answer(b"%PDF")))])
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert all(name in done.stderr for name in MALFORMED)
    assert [path.name for path in (tmp_path / "files").glob("*.pdf")] == ["whole.pdf"]


@pytest.mark.parametrize("length", [b"9" * 5000, b"-4", b"many"], ids=lambda length: length.decode()[:4])
def test_a_malformed_content_length_is_reported_in_words(tmp_path: Path, length: bytes) -> None:
    """The message was Python's own, or spoke of a wrong ETag."""
    with raw_server(OF_S3 + b'ETag: "abc-2"\r\nContent-Length: %s\r\n\r\n%%PDF' % length) as url:
        done = run(tmp_path, [Entry("a.pdf", f"{url}/a")])
    assert (done.returncode, "a.pdf: the answer's length is no number of bytes" in done.stderr) == (1, True)


@contextmanager
def raw_server(response: bytes) -> Iterator[str]:
    """Answer every connection with the same bytes, and close it."""

    class Responder(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)
            self.request.sendall(response)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Responder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("length", [b"", b"Content-Length: 99\r\n"])
@pytest.mark.parametrize("etag", [hashlib.md5(b"%PDF-1", usedforsecurity=False).hexdigest().encode(), b"abc-2"])
def test_a_response_in_chunks_is_read_whole(tmp_path: Path, etag: bytes, length: bytes) -> None:
    """A proxy uses chunks where it does not know the length, and may leave the one of before; such a file failed."""
    chunks = b"5\r\n%PDF-\r\n1\r\n1\r\n0\r\n\r\n"
    with raw_server(OF_S3 + b'ETag: "%s"\r\n%sTransfer-Encoding: chunked\r\n\r\n%s' % (etag, length, chunks)) as url:
        for _ in range(2):
            done = run(tmp_path, [Entry("a.pdf", f"{url}/a")])
            assert (done.returncode, "1 fetched" in done.stderr) == (0, True), done.stderr
            assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF-1"


def test_a_response_after_early_hints_is_read(tmp_path: Path) -> None:
    """Python's http.client skips 100 Continue alone; each file failed."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    with raw_server(hints + OF_S3 + b'ETag: "abc-2"\r\nContent-Length: 4\r\n\r\n%PDF') as url:
        assert "1 fetched" in run(tmp_path, [Entry("a.pdf", f"{url}/a")]).stderr
        with response(f"{url}/manifest.jsonl") as manifest:  # by urllib, too
            assert manifest.read() == b"%PDF"


def test_a_response_without_an_end_is_compared_with_the_listed_size(tmp_path: Path) -> None:
    """A proxy with HTTP/1.0 whose connection breaks; it passed as whole where the ETag is no checksum."""
    with raw_server(b'HTTP/1.0 200 OK\r\nETag: "abc-2"\r\n\r\n%PD') as url:
        done = run(tmp_path, [Entry("a.pdf", f"{url}/a", size=4), Entry("b.pdf", f"{url}/b", size=3)])
        assert (done.returncode, "a.pdf: 3 of 4 bytes came" in done.stderr) == (1, True), done.stderr
        assert "1 fetched" in done.stderr


@pytest.mark.parametrize(("etag", "first"), [("abc-2", 0), ("other-2", 2_000_000)])
def test_a_part_that_was_not_requested_is_never_joined(tmp_path: Path, web: Web, etag: str, first: int) -> None:
    """Of another range, or of another object: where the ETag is no checksum, the size alone would be right."""
    body, headers = os.urandom(3_000_000), {"ETag": '"abc-2"'}
    strange = {"ETag": f'"{etag}"', "Content-Range": f"bytes {first}-{first + 999_999}/3000000"}
    answers = [Answer(body, headers=headers, cut=1_000_000, times=1), Answer(b"x" * 1_000_000, 206, strange, times=1)]
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", *answers, Answer(body, headers=headers)))])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "files" / "a.pdf").read_bytes() == body


def test_a_part_without_its_etag_is_never_joined(tmp_path: Path, web: Web) -> None:
    """A kill or a full disk may leave an empty note; a store without If-Match gave the end of another object."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.pdf%part").write_bytes(b"xx")
    (tmp_path / "files" / "a.pdf%part.etag").write_bytes(b"")
    answer = Answer(b"%PDF", headers={"ETag": '"a-1"'}, conditions=False)
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", answer))])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


def test_a_complete_file_is_rid_of_the_remains_of_another_version(tmp_path: Path, web: Web) -> None:
    """The object was replaced for a while; the bytes of that version stayed beside the file."""
    entries = [Entry("a.pdf", web.serve("/a", Answer(b"%PDF")))]
    run(tmp_path, entries)
    (tmp_path / "files" / "a.pdf%part").write_bytes(b"new")
    (tmp_path / "files" / "a.pdf%part.etag").write_bytes(b"b-1")
    assert "1 there already" in run(tmp_path, entries).stderr
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["a.pdf"]


def test_a_response_without_a_body_is_not_an_empty_file(tmp_path: Path, web: Web) -> None:
    """Some gateways answer 204 to a request that they do not know."""
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", Answer(status=204, headers={"ETag": '"a-1"'})))])
    assert (done.returncode, "HTTP 204" in done.stderr) == (1, True), done.stderr
    assert list((tmp_path / "files").iterdir()) == []


def test_dead_links_are_reported_in_words_and_end_the_run_early(tmp_path: Path, web: Web) -> None:
    """The recipient learns whom to ask; 5,000 dead links are not all tried."""
    entries = [Entry(f"{n}.pdf", web.serve(f"/{n}", Answer(EXPIRED, status=403))) for n in range(200)]
    done = run(tmp_path, entries, "--jobs", "2")
    assert done.returncode == 1
    assert "the link has expired: ask whoever sent it" in done.stderr
    assert "files in a row failed for the same reason; the rest was not tried" in done.stderr
    assert len(web.asked) < 60
    assert "X-Amz-Signature" not in done.stdout + done.stderr


def test_a_run_that_ended_early_says_so_even_if_a_file_arrives_afterwards(tmp_path: Path, web: Web) -> None:
    """That file was under way; no message named the files that were not tried."""
    refused = Answer(EXPIRED, status=403)
    entries = [Entry("a.pdf", web.serve("/a", Answer(bytes(1 << 19), pause=0.5)))]
    entries += [Entry(f"b{number:02}.pdf", web.serve(f"/b{number}", refused)) for number in range(40)]
    done = run(tmp_path, entries)
    assert done.returncode == 1
    assert "1 fetched" in done.stderr
    assert "the rest was not tried" in done.stderr


def test_an_object_encrypted_with_its_owners_own_key_is_reported_in_words(tmp_path: Path, web: Web) -> None:
    """S3's code for it, InvalidRequest, explains nothing."""
    body = b"<Error><Code>InvalidRequest</Code><Message>The object was stored using a form of Server Side Encryption. "
    body += b"The correct parameters must be provided to retrieve the object.</Message></Error>"
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", Answer(body, status=400)))])
    assert (done.returncode, "no link can give it" in done.stderr) == (1, True), done.stderr


def test_an_object_under_a_kms_key_is_not_taken_for_one_under_its_owners_own_key(tmp_path: Path, web: Web) -> None:
    """S3 asks for https, or for a signature that CloudFront can give it: another link works."""
    body = b"<Error><Code>InvalidArgument</Code><Message>Requests specifying Server Side Encryption with AWS KMS "
    body += b"managed keys require AWS Signature Version 4.</Message></Error>"
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", Answer(body, status=400)))])
    assert (done.returncode, "InvalidArgument" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("status", [503, 408])
def test_a_busy_server_is_asked_again(tmp_path: Path, web: Web, status: int) -> None:
    """Whatever its status code."""
    url = web.serve("/a.pdf", Answer(status=status, times=1), Answer(b"%PDF"))
    assert run(tmp_path, [Entry("a.pdf", url)]).returncode == 0


def test_only__takes_the_keys_that_match(tmp_path: Path, web: Web) -> None:
    """For the rest of a list, or a part of it."""
    entries = [Entry(key, web.serve(f"/{key}", Answer(b"%PDF"))) for key in ("a/1.pdf", "b/1.pdf")]
    assert run(tmp_path, entries, "--only", "b/*").returncode == 0
    assert sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "files").rglob("*.pdf")) == ["files/b/1.pdf"]


def test_only__says_that_no_key_matches(tmp_path: Path, web: Web) -> None:
    """As with quotes that cmd does not take away: nothing came, and it ended with 0."""
    done = run(tmp_path, [Entry("a/1.pdf", web.serve("/a/1.pdf", Answer(b"%PDF")))], "--only", "'a/*'")
    assert done.returncode == 1
    assert "no key matches 'a/*'; the first is a/1.pdf" in done.stderr
    assert run(tmp_path, []).returncode == 0


def test_a_file_that_a_virus_scanner_has_open_gets_its_name_later(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows renames no open file; the whole object was fetched again at each refusal."""
    replace, refused = os.replace, [PermissionError(13, "Permission denied")] * 2

    def replaced(part: str, path: str) -> None:
        if refused:
            raise refused.pop()
        replace(part, path)

    monkeypatch.setattr(os, "replace", replaced)
    item = {"name": "a.pdf", "url": web.serve("/a", Answer(b"%PDF")), "size": 4}
    assert SCRIPT.fetch(item, str(tmp_path / "a.pdf"), set()) == 4
    assert len(web.asked) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]


def test_a_file_that_never_gets_its_name_is_reported_and_not_fetched_again(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program has the old file open."""
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    item = {"name": "a.pdf", "url": web.serve("/a", Answer(b"%PDF")), "size": 4}
    progress = SCRIPT.Progress(False)
    SCRIPT.bring(item, str(tmp_path / "a.pdf"), progress)
    assert progress.failures == [("a.pdf", "the file cannot be given its name: Permission denied")]
    assert len(web.asked) == 1


def test_names_that_are_equal_on_a_mac_stay_apart() -> None:
    """It ignores case, and how an accent is composed: one of two files was lost."""
    items = [{"name": name, "key": name} for name in ("e\u0301.pdf", "\u00c9.pdf", "\u00e9.pdf")]
    found = [path for _, path in SCRIPT.places(items, "/files", True)]
    assert found == ["/files/e\u0301.pdf", "/files/\u00c9%~2.pdf", "/files/\u00e9%~3.pdf"]


def test_only__a_file_has_the_name_that_it_has_without_the_option() -> None:
    """Where names fold, the second of two had the name of the first, and replaced its file."""
    items = [{"name": name, "key": name} for name in ("A.pdf", "a.pdf")]
    assert [path for _, path in SCRIPT.places(items, "/files", True, "a.*")] == ["/files/a%~2.pdf"]


@pytest.mark.parametrize(
    ("folder", "root"), [("C:\\x", "\\\\?\\C:\\x\\"), ("\\\\server\\share\\x", "\\\\?\\UNC\\server\\share\\x\\")]
)
def test_windows_accepts_long_paths_on_a_disk_and_on_a_share(
    folder: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more than 260 characters; on a share such files failed."""
    monkeypatch.setattr(download_script, "os", SimpleNamespace(name="nt", path=ntpath, fsdecode=os.fsdecode))
    ((_, path),) = SCRIPT.places([{"name": "a/b.pdf", "key": "a/b.pdf"}], folder, False)
    assert path == root + "a\\b.pdf"


def test_a_window_that_a_double_click_opened_waits_before_it_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows closes it with the script, before the failures can be read."""

    def clicked(name: str, *arguments: str, **environment: str) -> bool:
        streams = SimpleNamespace(argv=["download.py", *arguments], stdin=SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr(download_script, "sys", streams)
        monkeypatch.setattr(download_script, "os", SimpleNamespace(name=name, environ=environment))
        return bool(SCRIPT.was_clicked())

    assert clicked("nt")
    assert not clicked("nt", PROMPT="$P$G")  # typed at cmd
    assert not clicked("nt", "files")
    assert not clicked("posix")


def test_names_are_as_short_as_the_file_system_demands(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the command download would give: an encrypted share takes 143 bytes."""
    monkeypatch.setattr(os, "pathconf", lambda *_: 143)
    long = [
        "\u5831" * 50,
        "\u5831" * 50 + "/\u66f8.pdf",
        f"{'a?' * 60}.pdf",
        f"b.{'c' * 130}",
        f"{'d' * 300}.pdf",
        "e.pdf",
    ]
    keys, names = sorted(long), Names(longest=143)
    expected = {"/".join(names.path(key)) for key in keys}
    command(tmp_path, [Entry(key, web.serve(f"/{at}", Answer(b"%PDF"))) for at, key in enumerate(keys)])
    script, progress = str(tmp_path / "download.py"), SCRIPT.Progress(show=False)
    SCRIPT.work(SCRIPT.places(SCRIPT.listed(script), str(tmp_path / "to"), folding=False), 2, progress)
    found = [path for path in (tmp_path / "to").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "to").as_posix() for path in found} == expected
    assert max(len(part.encode()) for name in expected for part in name.split("/")) <= 128


def test_md5s_are_compared_under_fips_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python refuses MD5 for security there, and every file failed."""
    real = hashlib.md5

    def refusing(data: bytes = b"", *, usedforsecurity: bool = True) -> Any:
        if usedforsecurity:
            raise ValueError("[digital envelope routines] unsupported")
        return real(data, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "md5", refusing)
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    etag = real(b"%PDF", usedforsecurity=False).hexdigest()
    assert SCRIPT.is_whole(str(tmp_path / "a.pdf"), 4, etag, True, set())
    assert not SCRIPT.is_whole(str(tmp_path / "a.pdf"), 4, "0" * 32, True, set())


def test_a_python_without_certificates_is_reported_with_advice(tmp_path: Path, certificate: Path) -> None:
    """python.org's on a Mac has none until a command is run; each file was tried four times."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as secure:
        done = run(tmp_path, [Entry("a.pdf", secure.serve("/a", Answer(b"%PDF")))])
    assert (done.returncode, "run Install Certificates.command" in done.stderr) == (1, True), done.stderr
