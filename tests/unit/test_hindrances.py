"""Links that clients change or refuse are recognised."""

from __future__ import annotations

import pytest

from processor.hindrances import DOTS, LONG, MAX_URL, has_dots, hindered


@pytest.mark.parametrize("key", ["./a.pdf", "../a.pdf", "a/./b.pdf", "a/../b.pdf", "a/.", "a/..", ".", "..", "/./a"])
def test_dots_that_clients_resolve_are_found(key: str) -> None:
    """Wherever in the key they are a segment."""
    assert has_dots(key)
    assert hindered(["b.pdf", key], ["u", "u"]) == {DOTS: 1}


@pytest.mark.parametrize("key", [".a.pdf", "a/.b/c", "a..pdf", "...", "a/.../b", "a./b", "a//b", "..\n", "%2E/a", ""])
def test_other_dots_are_not_reported(key: str) -> None:
    """No client changes them."""
    assert not has_dots(key)
    assert hindered([key], ["u"]) == {}


def test_urls_that_servers_refuse_for_their_length_are_counted() -> None:
    """From the first byte beyond the limit."""
    assert hindered(["a", "b"], ["u" * MAX_URL, "u" * (MAX_URL + 1)]) == {LONG: 1}
    assert hindered([], []) == {}
