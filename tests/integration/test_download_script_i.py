"""The downloader that needs nothing: the exported script, run as its recipient runs it."""

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
from tests.web import Answer, Web, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT: Any = download_script  # it has no types
SECONDS = 40.0  # within which a process must have done what it is to do, on however busy a machine
EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


def command(folder: Path, entries: list[Entry], *arguments: str) -> list[str]:
    """Export the script; return what runs it with a bare Python."""
    script = folder / "download.py"
    script.write_text("".join(FORMS["script"](iter(entries))), encoding="utf-8")
    return [sys.executable, "-I", "-S", str(script), str(folder / "files"), *arguments]


def run(folder: Path, entries: list[Entry], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script away from this project."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    called = command(folder, entries, *arguments)
    return subprocess.run(called, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_script_is_plain_python_3_8_with_the_standard_library_alone() -> None:
    """A recipient has whatever Python the machine came with."""
    source = Path(download_script.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 8))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in modules} <= sys.stdlib_module_names


def test_every_file_comes_under_the_name_that_download_gives(tmp_path: Path, web: Web) -> None:
    """Awkward keys too; what is there already is not fetched again."""
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


def test_every_file_that_did_not_come_is_named(tmp_path: Path, web: Web) -> None:
    """A number alone does not tell the recipient what to ask for."""
    missing = Answer(b"<Error><Code>NoSuchKey</Code></Error>", status=404)
    entries = [Entry(f"{number:02}.pdf", web.serve(f"/{number}", missing)) for number in range(40)]
    done = run(tmp_path, entries)
    assert done.returncode == 1
    assert [each.key for each in entries if f"  {each.key}: the object no longer exists" not in done.stderr] == []


def test_a_script_whose_end_is_missing_brings_nothing(tmp_path: Path, web: Web) -> None:
    """A copy that broke off between two lines brought the files before it, and ended with 0."""
    called = command(tmp_path, [Entry(key, web.serve(f"/{key}", Answer(b"%PDF"))) for key in ("a.pdf", "b.pdf")])
    script = tmp_path / "download.py"
    whole = script.read_bytes()
    cut = whole[: whole.index(f"{download_script.MARK}{{".encode(), whole.index(b"a.pdf"))]
    for kept, code in ((cut, 1), (whole[:-30], 1), (whole.replace(b"\n", b"\r\n"), 0)):
        script.write_bytes(kept)
        done = subprocess.run(called, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "the end of this script is missing" in done.stderr) == (code, code == 1), done.stderr
        assert len(web.asked) == (0 if code else 2)


def test_a_script_that_comes_through_a_pipe_is_told_in_words(tmp_path: Path, web: Web) -> None:
    """As of ``curl ... | python3 -``: its list could not be found."""
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
    """It was 120, or 1 with every file there; a disk is full, or nobody reads on."""
    entries = [Entry("a.pdf", web.serve("/a", Answer(b"%PDF"))), Entry("b.pdf", web.serve("/b", Answer(status=404)))]
    for some, code in ((entries[:1], 0), (entries, 1)):
        line = f"{shlex.join(command(tmp_path, some))} {gone}; exit ${{PIPESTATUS[0]}}"
        assert subprocess.run(["/bin/bash", "-c", line], timeout=60, check=False).returncode == code
        assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


def test_a_folder_that_cannot_be_used_is_told_in_words(tmp_path: Path, web: Web) -> None:
    """Where a recipient starts the script, nothing may be written; or a file has the folder's name."""
    (tmp_path / "files").write_bytes(b"")
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", Answer(b"%PDF")))])
    assert (done.returncode, done.stderr) == (1, f"the folder {tmp_path / 'files'} cannot be used: File exists\n")


def test_a_file_that_came_half_is_continued(tmp_path: Path, web: Web) -> None:
    """The next try asks for the rest alone, of the same object."""
    body = os.urandom(3_000_000)
    etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    url = web.serve("/a", Answer(body, cut=2_000_000, times=1), Answer(body, headers={"ETag": etag}))
    done = run(tmp_path, [Entry("a.pdf", url)])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "files" / "a.pdf").read_bytes() == body
    assert any(asked and asked.startswith("bytes=") and asked != "bytes=0-0" for _, asked in web.asked)
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["a.pdf"]


def test_ctrl_c_ends_it_while_a_large_file_comes_and_the_next_run_continues(tmp_path: Path, web: Web) -> None:
    """It waited until all that had begun was there; a second Ctrl-C did not help either."""
    body = os.urandom(3_000_000)
    url = web.serve("/a", Answer(body, pause=5, times=1), Answer(body))
    exported = [Entry("a.pdf", url)]
    part = tmp_path / "files" / "a.pdf%part"
    with subprocess.Popen(command(tmp_path, exported), stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + SECONDS
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SECONDS) == 130, "it waits for no body of a minute"
        assert process.stderr is not None
        assert process.stderr.read() == "\nstopped; run it again to continue\n"
    assert run(tmp_path, exported).returncode == 0
    assert (tmp_path / "files" / "a.pdf").read_bytes() == body
    assert any(asked and asked.startswith("bytes=") and asked != "bytes=0-0" for _, asked in web.asked)


def test_a_second_download_into_the_folder_is_refused(tmp_path: Path, web: Web) -> None:
    """Started twice by a double-click, two wrote into each other's unfinished files; `download` keeps away, too."""
    body = os.urandom(3_000_000)
    exported = [Entry("a.pdf", web.serve("/a", Answer(body, pause=0.3, times=1), Answer(body)))]
    with subprocess.Popen(command(tmp_path, exported), stderr=subprocess.PIPE) as first:
        deadline = time.monotonic() + SECONDS
        while not (tmp_path / "files" / "a.pdf%part").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        first.send_signal(signal.SIGSTOP)  # so that it works for as long as the second takes to start
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
    """Size alone says little; a proxy may make an ETag a weak one, and it is the MD5 all the same."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.pdf").write_bytes(b"xxxx")
    etag = {"ETag": f'{mark}"{hashlib.md5(b"%PDF", usedforsecurity=False).hexdigest()}"'}
    assert run(tmp_path, [Entry("a.pdf", web.serve("/a", Answer(b"%PDF", headers=etag)))]).returncode == 0
    assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


@pytest.mark.parametrize("failing", [{"cut": 2}, {"status": 503}, {"headers": {"ETag": f'"{"0" * 32}"'}}])
def test_a_file_is_never_taken_for_its_object_because_it_was_looked_at_twice(
    tmp_path: Path, web: Web, failing: dict[str, Any]
) -> None:
    """Once the first try had failed, an old or damaged file counted as bytes that came twice the same."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.pdf").write_bytes(b"xxxx")
    told = {"headers": failing.get("headers", {})}
    answers = [Answer(b"%PDF", times=1, **told), Answer(b"%PDF", times=1, **failing), Answer(b"%PDF", **told)]
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", *answers))])
    assert (done.returncode, "1 fetched" in done.stderr) == (0, True), done.stderr
    assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


def test_bytes_that_come_otherwise_each_time_never_stand_under_the_name(tmp_path: Path, web: Web) -> None:
    """Four tries, then the failure is told."""
    etag = {"ETag": f'"{"0" * 32}"'}
    bodies = [Answer(b"%PD" + bytes([n]), headers=etag, times=1) for n in range(4)]
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", *bodies))])
    assert done.returncode == 1
    assert "not those that the ETag names" in done.stderr
    assert list((tmp_path / "files").iterdir()) == []


def test_bytes_that_came_twice_are_taken_where_the_etag_is_no_md5(tmp_path: Path, web: Web) -> None:
    """Some stores' ETags look like one; what is there already counts as once."""
    entries = [Entry("a.pdf", web.serve("/a", Answer(b"%PDF", headers={"ETag": f'"{"0" * 32}"'})))]
    for _ in range(2):
        done = run(tmp_path, entries)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


@pytest.mark.parametrize("headers", [{"ETag": ""}, {"Content-Type": "text/html"}])
def test_a_sign_in_page_never_stands_under_a_files_name(tmp_path: Path, web: Web, headers: dict[str, str]) -> None:
    """A network's own page has status 200, and neither ETag nor date, or no other header of a store."""
    page = Answer(b"<html>Sign in</html>", headers=headers)
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", page, page, page, page))])
    assert done.returncode == 1
    assert "the network's sign-in page" in done.stderr
    assert not (tmp_path / "files" / "a.pdf").exists()


OF_S3 = b"HTTP/1.1 200 OK\r\nServer: AmazonS3\r\nx-amz-request-id: 1\r\n"


NONE_AT_ALL = {
    "no HTTP.pdf": b"hello\r\n",
    "cut in a chunk.pdf": OF_S3 + b"Transfer-Encoding: chunked\r\n\r\n5\r\n%PD",
    "no chunk.pdf": OF_S3 + b"Transfer-Encoding: chunked\r\n\r\nmany\r\n",
    "no length.pdf": OF_S3 + b"Content-Length: many\r\n\r\n%PDF",
    "no number.pdf": OF_S3 + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n%PDF",
}


def test_answers_that_are_none_fail_their_own_files_alone(tmp_path: Path, web: Web) -> None:
    """Whatever stands between says them."""
    with ExitStack() as servers:
        urls = {name: servers.enter_context(raw_server(said)) for name, said in NONE_AT_ALL.items()}
        entries = [Entry(name, f"{url}/a") for name, url in urls.items()]
        done = run(tmp_path, [*entries, Entry("whole.pdf", web.serve("/b", Answer(b"%PDF")))])
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert all(name in done.stderr for name in NONE_AT_ALL)
    assert [path.name for path in (tmp_path / "files").glob("*.pdf")] == ["whole.pdf"]


@pytest.mark.parametrize("told", [b"9" * 5000, b"-4", b"many"], ids=lambda told: told.decode()[:4])
def test_an_answer_whose_length_is_no_number_is_told_in_words(tmp_path: Path, told: bytes) -> None:
    """It was told in Python's words, or as a wrong ETag."""
    with raw_server(OF_S3 + b'ETag: "abc-2"\r\nContent-Length: %s\r\n\r\n%%PDF' % told) as url:
        done = run(tmp_path, [Entry("a.pdf", f"{url}/a")])
    assert (done.returncode, "a.pdf: the answer's length is no number of bytes" in done.stderr) == (1, True)


@contextmanager
def raw_server(said: bytes) -> Iterator[str]:
    """Answer every connection with the same bytes, and close it."""

    class Says(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1 << 16)
            self.request.sendall(said)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Says) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("etag", [hashlib.md5(b"%PDF-1", usedforsecurity=False).hexdigest().encode(), b"abc-2"])
def test_an_answer_that_tells_no_length_is_taken_whole(tmp_path: Path, etag: bytes) -> None:
    """A proxy sends what it does not know the end of in chunks; such a file failed, as other bytes than the ETag's."""
    chunks = b"5\r\n%PDF-\r\n1\r\n1\r\n0\r\n\r\n"
    with raw_server(OF_S3 + b'ETag: "%s"\r\nTransfer-Encoding: chunked\r\n\r\n%s' % (etag, chunks)) as url:
        for _ in range(2):
            done = run(tmp_path, [Entry("a.pdf", f"{url}/a")])
            assert (done.returncode, "1 fetched" in done.stderr) == (0, True), done.stderr
            assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF-1"


def test_an_answer_that_does_not_tell_its_end_is_compared_with_the_list(tmp_path: Path) -> None:
    """A proxy of HTTP/1.0 whose connection breaks; it passed as whole where the ETag is no checksum."""
    with raw_server(b'HTTP/1.0 200 OK\r\nETag: "abc-2"\r\n\r\n%PD') as url:
        done = run(tmp_path, [Entry("a.pdf", f"{url}/a", size=4), Entry("b.pdf", f"{url}/b", size=3)])
        assert (done.returncode, "a.pdf: 3 of 4 bytes came" in done.stderr) == (1, True), done.stderr
        assert "1 fetched" in done.stderr


@pytest.mark.parametrize(("etag", "first"), [("abc-2", 0), ("other-2", 2_000_000)])
def test_a_part_that_was_not_asked_for_is_never_joined(tmp_path: Path, web: Web, etag: str, first: int) -> None:
    """Of another place, or of another object: where the ETag is no checksum, the size alone would be right."""
    body, told = os.urandom(3_000_000), {"ETag": '"abc-2"'}
    strange = {"ETag": f'"{etag}"', "Content-Range": f"bytes {first}-{first + 999_999}/3000000"}
    answers = [Answer(body, headers=told, cut=1_000_000, times=1), Answer(b"x" * 1_000_000, 206, strange, times=1)]
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", *answers, Answer(body, headers=told)))])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "files" / "a.pdf").read_bytes() == body


def test_a_part_without_its_etag_is_never_joined(tmp_path: Path, web: Web) -> None:
    """A kill or a full disk may leave an empty note; a store that knows no condition gave the end of another object."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.pdf%part").write_bytes(b"xx")
    (tmp_path / "files" / "a.pdf%part.etag").write_bytes(b"")
    answer = Answer(b"%PDF", headers={"ETag": '"a-1"'}, conditions=False)
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", answer))])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "files" / "a.pdf").read_bytes() == b"%PDF"


def test_a_file_that_is_there_leaves_nothing_of_an_object_that_was_replaced_for_a_while(
    tmp_path: Path, web: Web
) -> None:
    """What had come of the other one lay beside it for ever."""
    entries = [Entry("a.pdf", web.serve("/a", Answer(b"%PDF")))]
    run(tmp_path, entries)
    (tmp_path / "files" / "a.pdf%part").write_bytes(b"new")
    (tmp_path / "files" / "a.pdf%part.etag").write_bytes(b"b-1")
    assert "1 there already" in run(tmp_path, entries).stderr
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["a.pdf"]


def test_an_answer_without_a_body_is_no_empty_file(tmp_path: Path, web: Web) -> None:
    """What stands between answers 204 to whatever it does not know."""
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", Answer(status=204, headers={"ETag": '"a-1"'})))])
    assert (done.returncode, "HTTP 204" in done.stderr) == (1, True), done.stderr
    assert list((tmp_path / "files").iterdir()) == []


def test_dead_links_are_told_in_words_and_end_the_run_early(tmp_path: Path, web: Web) -> None:
    """The recipient learns whom to ask; 5,000 dead links are not all tried."""
    entries = [Entry(f"{n}.pdf", web.serve(f"/{n}", Answer(EXPIRED, status=403))) for n in range(200)]
    done = run(tmp_path, entries, "--jobs", "2")
    assert done.returncode == 1
    assert "the link has expired: ask whoever sent it" in done.stderr
    assert "files in a row failed for the same reason; the rest was not tried" in done.stderr
    assert len(web.asked) < 60
    assert "X-Amz-Signature" not in done.stdout + done.stderr


def test_a_run_that_ended_early_says_so_although_a_file_came_afterwards(tmp_path: Path, web: Web) -> None:
    """One that was under way; the files that were not tried were told nowhere."""
    refused = Answer(EXPIRED, status=403)
    entries = [Entry("a.pdf", web.serve("/a", Answer(bytes(1 << 19), pause=0.5)))]
    entries += [Entry(f"b{number:02}.pdf", web.serve(f"/b{number}", refused)) for number in range(40)]
    done = run(tmp_path, entries)
    assert done.returncode == 1
    assert "1 fetched" in done.stderr
    assert "the rest was not tried" in done.stderr


def test_an_object_under_its_owners_own_key_is_told_in_words(tmp_path: Path, web: Web) -> None:
    """S3's code for it, InvalidRequest, says nothing."""
    body = b"<Error><Code>InvalidRequest</Code><Message>The object was stored using a form of Server Side Encryption. "
    body += b"The correct parameters must be provided to retrieve the object.</Message></Error>"
    done = run(tmp_path, [Entry("a.pdf", web.serve("/a", Answer(body, status=400)))])
    assert (done.returncode, "no link can give it" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("status", [503, 408])
def test_a_server_that_is_busy_is_asked_again(tmp_path: Path, web: Web, status: int) -> None:
    """Whatever it calls that."""
    url = web.serve("/a.pdf", Answer(status=status, times=1), Answer(b"%PDF"))
    assert run(tmp_path, [Entry("a.pdf", url)]).returncode == 0


def test_only__takes_the_keys_that_match(tmp_path: Path, web: Web) -> None:
    """For the rest of a list, or a part of it."""
    entries = [Entry(key, web.serve(f"/{key}", Answer(b"%PDF"))) for key in ("a/1.pdf", "b/1.pdf")]
    assert run(tmp_path, entries, "--only", "b/*").returncode == 0
    assert sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "files").rglob("*.pdf")) == ["files/b/1.pdf"]


def test_a_file_that_a_virus_scanner_reads_gets_its_name_when_it_is_done(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows renames no open file; the whole object was fetched again, as often as it was refused."""
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


def test_a_file_that_never_gets_its_name_is_told_and_not_fetched_again(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program has the old one open."""
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    item = {"name": "a.pdf", "url": web.serve("/a", Answer(b"%PDF")), "size": 4}
    progress = SCRIPT.Progress(False)
    SCRIPT.bring(item, str(tmp_path / "a.pdf"), progress)
    assert progress.failures == [("a.pdf", "the file cannot be given its name: Permission denied")]
    assert len(web.asked) == 1


def test_names_that_a_mac_takes_for_one_stay_apart() -> None:
    """It ignores case, and whether an accent is a character of its own: one of two files was lost."""
    items = [{"name": name} for name in ("e\u0301.pdf", "\u00c9.pdf", "\u00e9.pdf")]
    found = [path for _, path in SCRIPT.places(items, "/files", True)]
    assert found == ["/files/e\u0301.pdf", "/files/\u00c9%~2.pdf", "/files/\u00e9%~3.pdf"]


@pytest.mark.parametrize(
    ("folder", "root"), [("C:\\x", "\\\\?\\C:\\x\\"), ("\\\\server\\share\\x", "\\\\?\\UNC\\server\\share\\x\\")]
)
def test_windows_takes_long_names_on_a_disk_and_on_a_share(
    folder: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than 260 characters; on a share such files failed."""
    monkeypatch.setattr(download_script, "os", SimpleNamespace(name="nt", path=ntpath))
    ((_, path),) = SCRIPT.places([{"name": "a/b.pdf"}], folder, False)
    assert path == root + "a\\b.pdf"


def test_a_window_that_a_click_opened_stays_until_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows closes it with the script, and with it what failed."""

    def clicked(name: str, *arguments: str, **environment: str) -> bool:
        streams = SimpleNamespace(argv=["download.py", *arguments], stdin=SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr(download_script, "sys", streams)
        monkeypatch.setattr(download_script, "os", SimpleNamespace(name=name, environ=environment))
        return bool(SCRIPT.was_clicked())

    assert clicked("nt")
    assert not clicked("nt", PROMPT="$P$G")  # typed at cmd
    assert not clicked("nt", "files")
    assert not clicked("posix")


def test_a_machine_under_fips_compares_md5s_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python refuses an MD5 for security there, and every file failed."""
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


def test_a_python_without_certificates_is_told_what_to_do(tmp_path: Path, certificate: Path) -> None:
    """That of python.org on a Mac has none until a command is run; each file was tried four times."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as secure:
        done = run(tmp_path, [Entry("a.pdf", secure.serve("/a", Answer(b"%PDF")))])
    assert (done.returncode, "run Install Certificates.command" in done.stderr) == (1, True), done.stderr
