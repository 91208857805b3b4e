"""Whether a list request mostly waits for its server."""

from __future__ import annotations

import pytest

from processor.listing import request_time
from processor.listing.request_time import RequestTime


@pytest.mark.parametrize(
    ("seconds", "worked", "busy"),
    [
        pytest.param(0.08, 0.004, 0.05, id="a slow server"),
        pytest.param(0.08, 0.08, 1.0, id="a slow server, and a thread that is busy with other pages"),
        pytest.param(0.004, 0.001, 0.25, id="an answer at once, and nothing else to do"),
        pytest.param(0.006, 0.0061, 1.0, id="clocks that disagree"),
        pytest.param(0.0, 0.0, 1.0, id="clocks that are too coarse"),
        pytest.param(0.5, 0.0, 2e-6, id="a thread without any work"),
    ],
)
def test_a_request_tells_how_busy_its_thread_was_meanwhile(
    seconds: float, worked: float, busy: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is busy, one more reader costs a request and gains nothing."""
    monkeypatch.setattr(request_time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(request_time, "thread_time", iter([7.0, 7.0 + worked]).__next__)
    assert RequestTime().busy(100.0 + seconds) == pytest.approx(busy)
