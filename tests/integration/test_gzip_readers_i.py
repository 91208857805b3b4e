"""A gzip manifest of several hops is read whole by the usual programs."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import http.server
import json
import subprocess
import threading
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.builders import job_of
from tests.corpus import AWKWARD_KEYS, MAX_KEY_BYTES
from tests.executions import Hops
from tests.fakes import FakeS3
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = sorted(
    f"{key}/{number}.pdf"
    for number in range(300)
    for key in AWKWARD_KEYS
    if len(key.encode()) < MAX_KEY_BYTES - len("/299.pdf")
)
HOPS = 20  # at most; ranges end in shorter pages than one listing does
SECONDS = 60

PAGE = b"""<!doctype html><meta charset="utf-8"><pre id="said">nothing</pre><img src="/hold"><script>
fetch("/manifest").then(answer => answer.text()).then(async text => {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  const hex = Array.from(hash, byte => byte.toString(16).padStart(2, "0")).join("");
  document.getElementById("said").textContent = (text.split("\\n").length - 1) + " " + hex;
}).catch(error => { document.getElementById("said").textContent = error; }).finally(() => fetch("/release"));
</script>"""
NODE = """
const zlib = require("zlib"), fs = require("fs"), crypto = require("crypto");
const say = text => console.log(text.split("\\n").length - 1, crypto.createHash("sha256").update(text).digest("hex"));
const [how, from] = process.argv.slice(1);
if (how === "gunzip") say(zlib.gunzipSync(fs.readFileSync(from)).toString());
else fetch(from).then(answer => answer.text()).then(say);
"""


class Manifest(NamedTuple):
    """A gzip manifest: the object's bytes, in a file and at a URL, and the data in them."""

    body: bytes
    path: Path
    url: str
    data: bytes

    @property
    def summary(self) -> str:
        """What a reader prints that has read all of it: the number of lines, and the hash."""
        return f"{len(KEYS)} {hashlib.sha256(self.data).hexdigest()}"


def written() -> tuple[bytes, bytes]:
    """Write the manifest in hops; return the object and its data."""
    job, s3 = job_of(compression="gzip"), FakeS3(KEYS)
    asyncio.run(Hops(s3).chain(job, [3] * HOPS))
    (body,) = [body for key, body in s3.objects.items() if "/." not in key]
    return body, gzip.decompress(body)


class _Handler(http.server.BaseHTTPRequestHandler):
    """
    Serves the manifest as S3 does, and a page that reads it.

    The page's image comes only after the page has read the manifest, so the browser's ``load`` event waits for it.
    """

    body: bytes
    released: threading.Event

    def do_GET(self) -> None:
        headers = {"Content-Type": "text/html"}
        body = PAGE
        if self.path == "/manifest":
            headers, body = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}, self.body
        elif self.path == "/release":
            self.released.set()
        elif self.path == "/hold":
            self.released.wait(SECONDS / 2)
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manifest]:
    """Write the manifest to a file, and serve it on loopback."""
    body, data = written()
    path = tmp_path_factory.mktemp("manifest") / "manifest.jsonl.gz"
    path.write_bytes(body)
    handler = type("Handler", (_Handler,), {"body": body, "released": threading.Event()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield Manifest(body, path, f"http://127.0.0.1:{server.server_port}/manifest", data)
        server.shutdown()


def output_of(*command: str | Path) -> bytes:
    """Run a program; return its output."""
    return subprocess.run(command, check=True, capture_output=True, timeout=SECONDS).stdout


def test_python_reads_it_whole(manifest: Manifest) -> None:
    """``gzip`` and ``zlib`` agree, and ``zlib`` finds one member."""
    reader = zlib.decompressobj(wbits=31)
    assert gzip.decompress(manifest.body) == manifest.data
    assert reader.decompress(manifest.body) == manifest.data
    assert (reader.eof, reader.unused_data) == (True, b"")
    assert len([json.loads(line) for line in manifest.data.splitlines()]) == len(KEYS)


def test_gzip_and_zcat_read_it_whole(manifest: Manifest) -> None:
    """``gzip -t`` finds no error, not even trailing bytes, and ``zcat`` writes all of it."""
    checked = subprocess.run(
        [program("gzip"), "-t", manifest.path], check=True, capture_output=True, timeout=SECONDS, text=True
    )
    assert checked.stdout + checked.stderr == ""
    assert output_of(program("zcat"), manifest.path) == manifest.data


def test_curl_reads_it_whole(manifest: Manifest) -> None:
    """``curl --compressed`` writes all of it; it would stop after a first member."""
    assert output_of(program("curl"), "--silent", "--show-error", "--compressed", manifest.url) == manifest.data


@pytest.mark.parametrize("how", ["gunzip", "fetch"])
def test_node_reads_it_whole(how: str, manifest: Manifest) -> None:
    """``zlib.gunzipSync`` and ``fetch`` both give every line and the same hash."""
    source = manifest.path if how == "gunzip" else manifest.url
    assert output_of(program("node", "nodejs"), "-e", NODE, how, source).decode().strip() == manifest.summary


def test_a_browser_reads_it_whole(manifest: Manifest, tmp_path: Path) -> None:
    """Headless Chromium, on a page that fetches it, gets every line and the same hash."""
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --dump-dom"
    )
    page = manifest.url.removesuffix("manifest")
    chromium = program("chromium", "chromium-browser", "google-chrome")
    dom = output_of(chromium, *flags.split(), f"--user-data-dir={tmp_path}", page).decode()
    assert f'<pre id="said">{manifest.summary}</pre>' in dom
