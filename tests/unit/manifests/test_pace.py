"""The limit of bytes a second is written as in rclone."""

from __future__ import annotations

import pytest

from presign_siblings.manifests.pace import Pace, rate


@pytest.mark.parametrize(
    ("written", "bytes_a_second"),
    [
        ("10M", 10 << 20),
        ("512k", 512 << 10),
        ("1.5G", 1.5 * (1 << 30)),
        ("64", 64 << 10),
        ("200B", 200),
        ("1MiB", 1 << 20),
    ],
)
def test_a_rate_is_read_as_in_rclone(written: str, bytes_a_second: float) -> None:
    """Without a unit it is in KiB."""
    assert rate(written) == bytes_a_second


def test_off_is_no_limit_and_an_invalid_rate_is_refused() -> None:
    """A rate of zero would never end."""
    assert rate("off") is rate("0") is None
    for wrong in ("", "fast", "-1M", "10X", "0.0001B"):
        with pytest.raises(ValueError, match="is not a rate"):
            rate(wrong)


def test_threads_share_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits until the bytes of all threads have had their time."""
    waited: list[float] = []
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    monkeypatch.setattr("time.sleep", waited.append)
    shared = Pace(1000)
    for _ in range(3):
        shared.spend(500)
    assert waited == [0.5, 1.0, 1.5]
