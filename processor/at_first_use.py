"""Names of a package that are imported at their first use: a short command must not wait for what it does not use."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing takes 10 ms, in which Ctrl-C would print a traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def at_first_use(package: str, where: Mapping[str, str]) -> Callable[[str], object]:
    """
    Return the ``__getattr__`` of a package.

    :param where: The module of each name.
    """

    def get(name: str) -> object:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(where[name]), name)

    return get
