"""The proof itself: each fault in a manifest fails a check."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, cast

import pytest

from dev import proof
from dev.chain import Chain
from dev.sample_objects import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = ["a.pdf", "b \ue000.pdf", "b \U0001f4c8.pdf"]  # S3's order, which differs from UTF-16's


def _manifest(*keys: str) -> bytes:
    return "".join(json.dumps({"key": key, "url": f"http://x/{key}"}) + "\n" for key in keys).encode()


def _failed(body: bytes) -> list[str]:
    _, checks = proof.manifest(body, KEYS)
    return [check.name for check in checks if not check.passed]


def test_a_correct_manifest_passes() -> None:
    """And the proof returns the URL of each key."""
    urls, checks = proof.manifest(_manifest(*KEYS), KEYS)
    assert list(urls) == KEYS
    assert all(check.passed for check in checks)


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        (_manifest(*KEYS[:2]), ["every PDF is in the manifest exactly once", "keys are in S3's order"]),
        (_manifest(*KEYS, KEYS[2]), ["every PDF is in the manifest exactly once", "keys are in S3's order"]),
        (_manifest(*KEYS, "z"), ["every PDF is in the manifest exactly once", "keys are in S3's order"]),
        (_manifest(KEYS[0], KEYS[2], KEYS[1]), ["keys are in S3's order"]),
        (b"", ["every PDF is in the manifest exactly once", "keys are in S3's order"]),
        (b'{"key": "a.pdf"}\n', ["every line is a key and its URL"]),
        (_manifest(*KEYS)[:-9], ["every line is a key and its URL"]),
        ("\u00e9\n".encode(), ["every line is a key and its URL"]),
    ],
    ids=["missing", "twice", "strange", "disorder", "empty", "fields", "cut", "not ascii"],
)
def test_a_faulty_manifest_fails(body: bytes, failed: list[str]) -> None:
    """By the check that names the fault."""
    assert _failed(body) == failed


class Tables:
    """A jobs table with one record, or with none."""

    def __init__(self, item: dict[str, Any]) -> None:
        self.item = item

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {"Item": self.item} if self.item else {}


def _record(state: str, count: int) -> dict[str, Any]:
    result = {"job_id": "j", "count": count, "manifest_key": "manifests/j.jsonl"}
    return {"state": {"S": state}, "hop": {"N": "7"}, "result": {"S": json.dumps(result)}}


@pytest.mark.parametrize(
    ("item", "passed", "seen"),
    [
        (_record("complete", 3), True, "complete, hop 7"),
        (_record("running", 3), False, "running, hop 7"),
        (_record("complete", 4), False, "complete, hop 7"),
        ({}, False, "missing, hop unknown"),
    ],
    ids=["complete", "under way", "another count", "none"],
)
def test_the_jobs_table_must_match_the_chain(item: dict[str, Any], seen: str, *, passed: bool) -> None:
    """A record that lags behind its manifest would start the job again."""
    job = Chain("j", "key", "manifests/j.jsonl", count=3, handovers=7, seconds=1.0)
    check = proof.record(cast("Any", Tables(item)), "jobs", job)
    assert (check.passed, check.seen) == (passed, seen)


class Server(BaseHTTPRequestHandler):
    """Answers 200 with the raw path of the request, or 403 to another signature."""

    def do_GET(self) -> None:
        status = 200 if self.path.endswith("/good?X-Amz-Signature=10") or "lax" in self.path else 403
        self.send_response(status)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Yield the address of a server on the loopback interface."""
    with HTTPServer(("127.0.0.1", 0), Server) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_path_is_sent_unchanged(server: str) -> None:
    """A client that normalised dots, double slashes or percent signs would request another key."""
    path = "/b/lax//./a%2Fb%20c/..%2525/x?X-Amz-Signature=1"
    assert proof.get(server + path) == (200, path.encode())


def test_a_download_with_other_bytes_fails(server: str) -> None:
    """The check names the key."""
    url = f"{server}/good?X-Amz-Signature=10"
    items = [Item("same", b"/good?X-Amz-Signature=10"), Item("other", b"?"), Item("absent", b"")]
    check = proof.downloads({"same": url, "other": url}, items)
    assert not check.passed
    assert "['other', 'absent']" in check.seen


@pytest.mark.parametrize(("path", "passed"), [("good", True), ("lax", False)])
def test_a_server_that_accepts_a_changed_url_fails(server: str, path: str, passed: bool) -> None:  # noqa: FBT001
    """It must refuse a changed signature and a changed key."""
    checks = list(proof.tampered({"k": f"{server}/{path}?X-Amz-Signature=10"}))
    assert [check.passed for check in checks] == [passed, passed]


def test_only_the_signature_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port may have the same digits: another port would refuse for another reason."""
    asked: list[str] = []

    def refuse(url: str) -> tuple[int, bytes]:
        asked.append(url)
        return 403, b""

    monkeypatch.setattr(proof, "get", refuse)
    list(proof.tampered({"k": "http://127.0.0.1:41005/good?X-Amz-Signature=10"}))
    assert asked[0] == "http://127.0.0.1:41005/good?X-Amz-Signature=11"


def test_the_sample_has_every_awkward_name() -> None:
    """And a random choice of the others, the same each time."""
    items = [Item(f"in/{number}.pdf", b"") for number in range(200)] + [Item("in/a b.pdf", b"")]
    chosen = proof.sample(items)
    assert chosen[0].key == "in/a b.pdf"
    assert len(chosen) == 1 + proof.SAMPLE
    assert chosen == proof.sample(items)
