"""The Processor on a bucket and a jobs table in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from processor.manifest import S3PieceStore
from tests.fakes import NOW, SECRET, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from tests.fakes import FakeS3
    from tests.simulation.dynamo import FakeDynamo

PART = 4096  # bytes; stands for S3's 5 MiB


class World(Protocol):
    """
    The services that a Processor uses.

    :param seconds: How far the clock has advanced.
    """

    s3: FakeS3
    table: FakeDynamo
    seconds: float


def put_behind(monkeypatch: pytest.MonkeyPatch, world: World, **openers: Any) -> None:
    """Give the Processor a world in memory; ``openers`` are further clients, as ``Connections`` has them."""
    from processor import app  # noqa: PLC0415 - sosw makes its loggers at import

    @asynccontextmanager
    async def open_s3(*_: Any) -> AsyncIterator[tuple[FakeS3, str]]:
        yield world.s3, SECRET

    @asynccontextmanager
    async def open_dynamodb() -> AsyncIterator[FakeDynamo]:
        yield world.table

    connect(monkeypatch, s3=open_s3, dynamodb=open_dynamodb, **openers)
    monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: NOW + timedelta(seconds=world.seconds)))
    monkeypatch.setenv("JOBS_TABLE", "jobs")
    monkeypatch.setattr(S3PieceStore, "part", PART)
