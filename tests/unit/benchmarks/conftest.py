"""Fixtures for the tests of the benchmarks: the stub of S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import launch

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[launch.Server]:
    """Run one stub for all tests of a module."""
    with launch.stub() as running:
        yield running
