"""Downloads on the recipient's network: by a company's proxy, with its certificates, and by IPv6."""

from __future__ import annotations

import base64
import errno
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.client import HTTPConnection
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from presign_siblings.cli.main import main
from presign_siblings.manifests import attempts, download_script, wire
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.export import FORMS
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.requests import FetchError
from tests.web import Answer, Web, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "http://me:pass%20word@"
ALLOWED = base64.b64encode(b"me:pass word")


class Proxy(ThreadingTCPServer):
    """A proxy that connects a client with its password to any port of this machine, by CONNECT."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.asked: list[bytes] = []

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"


class _Tunnel(BaseRequestHandler):
    def handle(self) -> None:
        client: socket.socket = self.request
        head = client.recv(1 << 16)
        assert isinstance(self.server, Proxy)
        self.server.asked.append(head.splitlines()[0])
        if b"Proxy-Authorization: Basic " + ALLOWED not in head:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as store:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {client: store, store: client}
            while True:
                for each in select.select(list(ends), [], [])[0]:
                    data = each.recv(1 << 16)
                    if not data:
                        return
                    ends[each].sendall(data)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Run a proxy, the only one that the environment may name; a download waits for nothing before a retry."""
    monkeypatch.setattr(attempts, "FIRST_WAIT_SECONDS", 0.0)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with Proxy() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def secure(certificate: Path, host: str = "127.0.0.1") -> Iterator[Web]:
    """Serve over TLS."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving(tls, host) as web:
        yield web


@pytest.mark.parametrize("bundle", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_links_are_fetched_through_a_proxy_with_the_companys_certificates(
    bundle: str, proxy: Proxy, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name and password go to the proxy; the second request uses the same tunnel."""
    monkeypatch.setenv("HTTPS_PROXY", f"{NAME}{proxy.place}")
    monkeypatch.setenv(bundle, str(certificate))
    with secure(certificate) as web, Fetcher() as fetcher:
        urls = [web.serve("/a", Answer(b"%PDF")), web.serve("/nothing", Answer(b""))]
        assert [fetcher.get(url).size for url in urls] == [4, 0]
        (asked,) = proxy.asked
        assert asked.decode() == f"CONNECT {web.address.removeprefix('https://')} HTTP/1.1"


def test_a_proxy_gets_the_whole_url_of_an_http_link(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """Of a store inside the company, say; a refusal by the proxy is reported as the proxy's."""
    query = "X-Amz-Signature=0123"
    with serving() as web, Fetcher() as fetcher:
        monkeypatch.setenv("HTTP_PROXY", web.address)
        web.serve("http://reports.example/a", Answer(b"%PDF"))
        web.serve("http://reports.example/b", Answer(b"<p>Sign in", status=407))
        assert fetcher.get(f"http://reports.example/a?{query}").size == 4
        with pytest.raises(FetchError, match="HTTP 407; the proxy wants a name and a password"):
            fetcher.get(f"http://reports.example/b?{query}")


def test_the_host_header_omits_the_default_port_as_the_signature_does(
    proxy: Proxy,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """SigV4 signs it so, and browsers and curl send it so; a store compares the header as it comes."""
    with serving() as web, Fetcher() as fetcher:
        monkeypatch.setenv("HTTP_PROXY", web.address)
        for place in ("http://reports.example:80/a.pdf", "http://reports.example:443/b.pdf"):
            web.serve(place, Answer(b"%PDF"))
        url = "http://reports.example:80/a.pdf?X-Amz-Signature=0123"
        fetcher.get(url)
        fetcher.get("http://reports.example:443/b.pdf?X-Amz-Signature=0123")
        script = tmp_path / "download.py"
        script.write_text("".join(FORMS["script"](iter([Entry("a.pdf", url)]))), encoding="utf-8")
        command = [sys.executable, "-S", str(script), str(tmp_path / "files")]
        subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert web.hosts == ["reports.example", "reports.example:443", "reports.example"]


def test_a_host_with_an_ipv6_address_is_reached(
    proxy: Proxy, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directly and by a proxy."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with secure(certificate, "::1") as web:
        url = web.serve("/a", Answer(b"%PDF"))
        for named in ("", f"{NAME}{proxy.place}"):
            monkeypatch.setenv("HTTPS_PROXY", named)
            with Fetcher() as fetcher:
                assert fetcher.get(url).size == 4
    assert proxy.asked[0].startswith(b"CONNECT [::1]:")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("http://me:wrong@{place}", "the proxy http://{place}: it wants a name and a password"),
        ("{place}", "the proxy http://{place}: it wants a name and a password"),
        ("http://127.0.0.1:1", "the proxy http://127.0.0.1:1: the connection was refused"),
        ("socks5h://me:pass@{place}", "socks5h://{place} is not an HTTP proxy"),
        ("https://{place}", "https://{place} is not an HTTP proxy"),
        ("http://127.0.0.1:abc", "the proxy's host or port is not valid"),
    ],
)
def test_a_proxy_that_refuses_the_connection_is_reported(
    named: str, message: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its address, without its password, and with the variable that names it."""
    monkeypatch.setenv("HTTPS_PROXY", named.format(place=proxy.place))
    with Fetcher() as fetcher, pytest.raises(FetchError) as raised:
        fetcher.get("https://127.0.0.1:2/a?X-Amz-Signature=0123")
    assert message.format(place=proxy.place) in str(raised.value)
    assert "HTTPS_PROXY" in str(raised.value)
    assert not [secret for secret in ("0123", "wrong", "pass@") if secret in str(raised.value)]


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("http://me:wrong@{place}", "Tunnel connection failed: 407 Proxy Authentication Required"),
        ("127.0.0.1:1", "the connection was refused"),
    ],
)
def test_a_proxy_that_keeps_a_manifest_back_is_named(
    named: str, reason: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message spoke of the URL's host, where nothing was wrong."""
    named = named.format(place=proxy.place)
    monkeypatch.setenv("HTTPS_PROXY", named)
    result = CliRunner().invoke(main, ["verify", "https://127.0.0.1:2/m.jsonl?X-Amz-Signature=0123"])
    place = named.rpartition("//")[2].rpartition("@")[2]
    assert f"https://127.0.0.1:2/m.jsonl through the proxy http://{place}: " in result.stderr
    assert reason in result.stderr
    assert not [secret for secret in ("0123", "wrong", "urlopen") if secret in result.stderr]


def test_a_manifest_is_read_through_the_proxy_of_all_links(
    proxy: Proxy, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``ALL_PROXY`` counted for the links in it alone, and the message of the failure named this proxy."""
    monkeypatch.setenv("ALL_PROXY", f"{NAME}{proxy.place}")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with secure(certificate) as web:
        url = web.serve("/m.jsonl", Answer(b""))
        result = CliRunner().invoke(main, ["verify", "--allow-empty", url])
        assert (result.exit_code, len(proxy.asked)) == (0, 1), result.stderr


@pytest.mark.parametrize("url", ["https://[::1/a", "http://reports:port/a", "http:///a"])
def test_an_unusable_url_fails_only_its_own_file(url: str, proxy: Proxy) -> None:  # noqa: ARG001
    """It never ends the download."""
    with Fetcher() as fetcher, pytest.raises(FetchError):
        fetcher.get(url)


@pytest.fixture(params=["leads nowhere", "switched off"])
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let a name have eight IPv6 addresses, none of which can be reached, before eight of loopback; list the tries."""
    asked, real = list[int](), socket.getaddrinfo

    class Socket(socket.socket):
        def __init__(self, family: int = -1, *more: Any, **named: Any) -> None:
            if family == socket.AF_INET6 and request.param == "switched off":
                asked.append(family)
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *more, **named)

        def connect(self, address: Any) -> None:
            asked.append(self.family)
            if self.family == socket.AF_INET6:
                assert address[2:] == (0, 7), "a link-local address needs its scope"
                raise TimeoutError
            super().connect(address)

    def found(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        if host != "reports.example":
            return real(host, port, *more, **named)
        kinds = (socket.AF_INET6, ("::1", port, 0, 7)), (socket.AF_INET, ("127.0.0.1", port))
        return [(version, socket.SOCK_STREAM, 0, "", address) for version, address in kinds for _ in range(8)]

    monkeypatch.setattr(socket, "socket", Socket)
    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(wire, "_answered", [])
    monkeypatch.setattr(download_script, "ANSWERED", [])
    return asked


def test_addresses_that_lead_nowhere_are_asked_once(asked: list[int]) -> None:
    """Each of CloudFront's eight took ten seconds at each connection, while browsers and curl open the link."""
    with serving() as web:
        url = web.serve("/a", Answer(b"%PDF")).replace("127.0.0.1", "reports.example")
        for _ in range(2):
            with Fetcher() as fetcher:
                assert fetcher.get(url).size == 4
    assert asked == [socket.AF_INET6, socket.AF_INET, socket.AF_INET]


def test_a_manifest_asks_addresses_that_lead_nowhere_as_links_do(asked: list[int]) -> None:
    """A minute each, of eight, before its first line; the links in it knew better afterwards."""
    with serving() as web:
        url = web.serve("/m", Answer(b"")).replace("127.0.0.1", "reports.example")
        for _ in range(2):
            result = CliRunner().invoke(main, ["verify", "--allow-empty", url])
            assert result.exit_code == 0, result.output
    assert asked == [socket.AF_INET6, socket.AF_INET, socket.AF_INET]


def test_the_script_asks_addresses_that_lead_nowhere_once(asked: list[int]) -> None:
    """A minute each, of eight, for each file."""
    script: Any = download_script  # it has no types
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(2):
            script.dialled(("reports.example", server.getsockname()[1]), 60).close()
    assert asked == [socket.AF_INET6, socket.AF_INET, socket.AF_INET]


def test_a_companys_certificate_is_trusted_as_browsers_trust_it(
    inspected: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 checks more than browsers, curl and boto3 do, and inspecting proxies do not know it."""
    real = ssl.create_default_context

    def strict() -> ssl.SSLContext:
        context = real()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    authority, certificate = inspected
    monkeypatch.setattr(ssl, "create_default_context", strict)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setattr(socket, "create_connection", socket.create_connection)  # the script replaces all three
    monkeypatch.setattr(HTTPConnection, "response_class", HTTPConnection.response_class)
    script: Any = download_script
    script.connect_like_browsers()
    with secure(certificate) as web, Fetcher() as fetcher:
        url = web.serve("/a", Answer(b"%PDF"))
        assert fetcher.get(url).size == 4
        with script.request(url, {}) as answer:
            assert answer.read() == b"%PDF"


def test_a_host_that_does_not_answer_is_named_with_advice_for_the_recipient() -> None:
    """The link names the host; --endpoint-url, which errors of AWS's clients suggest, would not change it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
    with Fetcher() as fetcher, pytest.raises(FetchError, match=f"{place}, which the link names: .*refused") as raised:
        fetcher.get(f"http://name:p4ss@{place}/a?X-Amz-Signature=0123")
    assert not [wrong for wrong in ("--endpoint-url", "0123", "p4ss") if wrong in str(raised.value)]


def test_a_reset_connection_is_reported_without_advice_about_the_endpoint() -> None:
    """The recipient of a link was asked whether the endpoint needs https."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reset() -> None:
            made, _ = server.accept()
            with made:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                made.sendall(b'HTTP/1.1 200 OK\r\nETag: "a-2"\r\nContent-Length: 9\r\n\r\n%PDF')
                made.recv(1 << 16)

        thread = threading.Thread(target=reset)
        thread.start()
        with Fetcher() as fetcher, pytest.raises(FetchError, match="closed before the answer was complete") as raised:
            fetcher.get(f"http://127.0.0.1:{server.getsockname()[1]}/a?X-Amz-Signature=0123")
        thread.join()
    assert "https" not in str(raised.value)


@pytest.mark.parametrize("command", ["download", "verify"])
def test_the_read_timeout_limits_the_wait_for_links_and_manifests(command: str, tmp_path: Path) -> None:
    """Each try took a minute, whatever the option said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a?X-Amz-Signature=0123"
        (tmp_path / "m").write_text(json.dumps({"key": "a", "url": url}) + "\n")
        to = [str(tmp_path / "to")] if command == "download" else []
        for manifest, code in ((str(tmp_path / "m"), 3), (url, 1)):
            began = time.monotonic()
            result = CliRunner().invoke(main, [command, manifest, *to, "--read-timeout", "1"])
            assert (result.exit_code, "no answer came" in result.output) == (code, True), result.output
            assert time.monotonic() - began < 30


def test_the_script_uses_the_proxy_too(proxy: Proxy, certificate: Path, tmp_path: Path) -> None:
    """By the standard library."""
    with secure(certificate) as web:
        entry = Entry("a.pdf", web.serve("/a", Answer(b"%PDF")))
        script = tmp_path / "download.py"
        script.write_text("".join(FORMS["script"](iter([entry]))), encoding="utf-8")
        environment = os.environ | {"HTTPS_PROXY": f"{NAME}{proxy.place}", "SSL_CERT_FILE": str(certificate)}
        command = [sys.executable, "-S", str(script), str(tmp_path / "files")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, (tmp_path / "files" / "a.pdf").read_bytes()) == (0, b"%PDF"), done.stderr
    assert proxy.asked


def test_the_script_names_a_proxy_that_cannot_be_reached(tmp_path: Path) -> None:
    """A recipient would look for the fault at the store."""
    script = tmp_path / "download.py"
    script.write_text("".join(FORMS["script"](iter([Entry("a.pdf", "https://reports.example/a")]))), encoding="utf-8")
    environment = os.environ | {"HTTPS_PROXY": "http://me:p4ss@127.0.0.1:1", "NO_PROXY": ""}
    command = [sys.executable, "-S", str(script), str(tmp_path / "files")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "no connection through the proxy 127.0.0.1:1: " in done.stdout + done.stderr
    assert "p4ss" not in done.stdout + done.stderr
