"""The measured start of a command: until it asks, or until it ends; a command that fails is no start."""

from __future__ import annotations

import pytest

from benchmarks.scenarios import start


@pytest.mark.parametrize("command", ["--version", "status", f"run {start._SOURCE} {start._ELSEWHERE}"])
def test_the_start_of_a_command_is_measured_until_it_asks_or_ends(command: str) -> None:
    """At AWS, through the proxy, and at another store."""
    assert 0.01 < start._seconds(command) < 20


def test_a_command_that_fails_before_it_asks_is_told() -> None:
    """A wrong use would be the quickest of all."""
    with pytest.raises(start.NoStartError, match=r"ended with 2: (.|\n)*Missing argument"):
        start._seconds("run")
