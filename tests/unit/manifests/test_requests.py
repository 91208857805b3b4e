"""Connections that are kept for the next request, and let go when a download ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presign_siblings.manifests.requests import Requests

if TYPE_CHECKING:
    import pytest


def test_a_connection_that_is_made_while_all_are_stopped_is_cut_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the download waits for its answer, for a minute after Ctrl-C."""
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
