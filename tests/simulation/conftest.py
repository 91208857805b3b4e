"""Fixtures of the simulation."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def quiet() -> Iterator[None]:
    """Show only a history's own trace."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
