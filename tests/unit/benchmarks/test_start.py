"""The start of a command is measured until its first request or its end; a failure is no start."""

from __future__ import annotations

import pytest

from benchmarks.scenarios import start


@pytest.mark.parametrize("command", ["--version", "status", f"run {start._SOURCE} {start._ELSEWHERE}"])
def test_the_start_of_a_command_is_measured_until_it_requests_or_ends(command: str) -> None:
    """To AWS, through the proxy, and to another store."""
    assert 0.01 < start._seconds(command) < 20


def test_a_command_that_fails_before_its_first_request_is_an_error() -> None:
    """A wrong call would be the fastest of all."""
    with pytest.raises(start.NoStartError, match=r"ended with 2: (.|\n)*Missing argument"):
        start._seconds("run")
