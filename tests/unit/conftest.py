"""Fixtures for the unit tests of the whole handler: a bucket and a table in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from processor.aws import open_s3
from tests.fakes import FakeS3, connect
from tests.simulation.dynamo import FakeDynamo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    """Give the Processor a bucket in memory, whose URLs the real client signs."""
    fake = FakeS3([f"2026/{n:02}.pdf" for n in range(35)])

    @asynccontextmanager
    async def opened(endpoint_url: str | None, concurrency: int, *signing: Any) -> AsyncIterator[tuple[Any, str]]:
        async with open_s3(endpoint_url, concurrency, *signing) as (client, secret_key):
            fake.generate_presigned_url = client.generate_presigned_url  # type: ignore[method-assign,assignment]
            yield fake, secret_key

    connect(monkeypatch, s3=opened)
    return fake


@pytest.fixture
def jobs_table(monkeypatch: pytest.MonkeyPatch) -> FakeDynamo:
    """Give the Processor a jobs table in memory."""
    fake = FakeDynamo()

    @asynccontextmanager
    async def opened() -> AsyncIterator[FakeDynamo]:
        yield fake

    monkeypatch.setenv("JOBS_TABLE", "jobs")
    connect(monkeypatch, dynamodb=opened)
    return fake
