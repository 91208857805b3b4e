"""Whether a list request mostly waits for its server."""

from __future__ import annotations

import pytest

from processor.listing import request_time
from processor.listing.request_time import RequestTime


@pytest.mark.parametrize(
    ("seconds", "worked", "is_wait"),
    [
        pytest.param(0.003, 0.0028, False, id="an answer at once"),
        pytest.param(0.004, 0.001, True, id="time for another page"),
        pytest.param(0.08, 0.08, True, id="a slow server, and a thread that is busy with other pages"),
        pytest.param(0.006, 0.006, False, id="a thread that never waits"),
    ],
)
def test_a_request_is_a_wait_while_the_thread_is_free(
    seconds: float, worked: float, *, is_wait: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise one more reader would cost a request and gain nothing."""
    monkeypatch.setattr(request_time, "LEAST_IDLE_SECONDS", 0.002)
    monkeypatch.setattr(request_time, "monotonic", iter([100.0, 100.0 + seconds]).__next__)
    monkeypatch.setattr(request_time, "thread_time", iter([7.0, 7.0 + worked]).__next__)
    assert RequestTime().is_wait() is is_wait
