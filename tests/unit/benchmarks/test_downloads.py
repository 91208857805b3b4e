"""The downloads compare like with like: each contestant gets every byte from a server with ranges."""

from __future__ import annotations

import asyncio
import urllib.request
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from benchmarks.bench import QUICK
from benchmarks.objects import BLOCKS, BUCKET, GIGABIT, LATE, Network, content, key_of
from benchmarks.scenarios import download

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.no_cover  # other programs, started as a user starts them


def test_every_contestant_downloads_every_file() -> None:
    """Otherwise it is not measured; the server answers a range as S3 does."""
    (count, size, rate), _ = QUICK.downloads
    with download._serving(count, size, rate) as case:
        case.write()
        for command in case.commands().values():
            assert case.run(command).keys == count
        with pytest.raises(download.WrongFilesError, match="0 files"):
            case.run(["true"])
        asked = urllib.request.Request(f"{case.endpoint}/{BUCKET}/{key_of(3)}", headers={"Range": "bytes=5-9"})
        with urllib.request.urlopen(asked) as answer:
            assert (answer.status, answer.read()) == (206, content(3, size)[5:10])


def test_the_memory_of_a_program_is_its_own(tmp_path: Path) -> None:
    """Each had the gigabyte of the process that had made the sets of keys before."""
    much = b"x" * 400_000_000
    sample = download.Case("", count=1, size=1, rate=0, folder=tmp_path).hashed()
    assert 0 < sample.peak_bytes < len(much) // 2


def test_a_network_transfers_large_objects_at_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many connections share it; the time lost by waking late is made up for."""
    slept = list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def carry() -> None:
        network = Network(GIGABIT)
        await asyncio.gather(*(network.carry(network.block) for _ in range(3 * BLOCKS)))

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr("benchmarks.objects.time", SimpleNamespace(monotonic=lambda: 5.0))
    asyncio.run(carry())
    assert slept == sorted(slept)
    assert slept[-1] == pytest.approx(3.0 - LATE)
