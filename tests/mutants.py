"""Code without one of its safeguards, and the test that must miss it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

Patch = contextlib.AbstractContextManager[Any]


def put(place: Any, name: str, value: Any) -> Callable[[], Patch]:
    """Put something else in a place."""
    return lambda: mock.patch.object(place, name, value)


def wrapped(place: Any, name: str, around: Callable[..., Any]) -> Callable[[], Patch]:
    """Put a function around another, which it gets as its first argument."""
    real = getattr(place, name)
    return lambda: mock.patch.object(place, name, lambda *args, **kwargs: around(real, *args, **kwargs))


def look_that_it_is_missed(patch: Callable[[], Patch], test: Callable[[], None]) -> None:
    """
    Look that a test passes, and that it fails without a safeguard.

    :param patch: Takes the safeguard out.
    """
    test()
    with patch(), pytest.raises(AssertionError):
        test()
