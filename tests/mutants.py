"""Code without one of its safeguards, and the test that must then fail."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

Patch = contextlib.AbstractContextManager[Any]


def put(place: Any, name: str, value: Any) -> Callable[[], Patch]:
    """Replace an attribute."""
    return lambda: mock.patch.object(place, name, value)


def wrapped(place: Any, name: str, around: Callable[..., Any]) -> Callable[[], Patch]:
    """Wrap a function: the wrapper gets it as its first argument."""
    real = getattr(place, name)
    return lambda: mock.patch.object(place, name, lambda *args, **kwargs: around(real, *args, **kwargs))


def assert_the_test_misses_it(patch: Callable[[], Patch], test: Callable[[], None]) -> None:
    """
    Assert that a test passes, and that it fails without a safeguard.

    :param patch: Removes the safeguard.
    """
    test()
    with patch(), pytest.raises(AssertionError):
        test()
