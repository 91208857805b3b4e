"""Connections are kept for the next request, and closed when a download ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presign_siblings.manifests.requests import Requests

if TYPE_CHECKING:
    import pytest


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
