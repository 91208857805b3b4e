"""Connections are kept for the next request, and closed when a download ends."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from presign_siblings.manifests.answer import BrokenError
from presign_siblings.manifests.requests import Requests
from presign_siblings.manifests.wire import Origin


def test_a_connection_opened_during_a_stop_is_closed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the download waits for its answer, for a minute after Ctrl-C."""
    requests = Requests()

    class Made:
        is_cut = False

        def cut(self) -> None:
            self.is_cut = True

    def open_late(*_: object) -> Made:
        requests.stop()
        return Made()

    monkeypatch.setattr("presign_siblings.manifests.wire.Origin.open", open_late)
    found: Any = requests.connection(requests.origin("http://127.0.0.1:1/"))
    assert found.is_cut


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_a_link_without_a_port_leads_to_the_port_of_its_scheme(
    scheme: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As each link to S3 itself does."""
    dialled = list[tuple[str, int]]()

    def dial(host: str, to: int) -> None:
        dialled.append((host, to))
        raise OSError("unreachable")

    monkeypatch.setattr("presign_siblings.manifests.wire.dialled", dial)
    with pytest.raises(BrokenError):
        Origin(scheme, "s3.example").open(None, 1)
    assert dialled == [("s3.example", port)]


def test_a_proxy_is_asked_for_the_port_of_https_where_the_link_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy cannot tell it from a name alone."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setattr("presign_siblings.manifests.wire.dialled", lambda *_: ours)
        monkeypatch.setattr("presign_siblings.manifests.wire.socket.IPPROTO_TCP", socket.SOL_SOCKET)
        monkeypatch.setattr("presign_siblings.manifests.wire.socket.TCP_NODELAY", socket.SO_KEEPALIVE)
        theirs.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        with pytest.raises(BrokenError, match="it does not let this host through"):
            Origin("https", "s3.example", "http://proxy.example:3128").open(None, 1)
        assert theirs.recv(1000).startswith(b"CONNECT s3.example:443 HTTP/1.1\r\nHost: s3.example:443\r\n")
