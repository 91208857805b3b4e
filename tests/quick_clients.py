"""
botocore's clients, created in a tenth of the time.

Each session reads the service models from disk again, and each client inspects the signatures of some hundred
handlers and the old names of their events again. A test creates both many times; the results never change in a process.
"""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from typing import Any

import boto3
from botocore import hooks, session
from botocore.loaders import Loader


class _OneLoader(Loader):
    """A loader for all sessions: boto3 adds its folder to the search paths of each, and here they have it already."""

    @property
    def search_paths(self) -> list[str]:
        return list(super().search_paths)


def use() -> None:
    """Let all clients of this process use these caches."""
    loader = _OneLoader([str(Path(boto3.__file__).with_name("data"))], include_default_search_paths=True)
    session.create_loader = lambda *_: loader
    aliaser: Any = hooks.EventAliaser
    aliaser._alias_event_name = _by_name(aliaser(None)._alias_event_name)
    hooks.accepts_kwargs = functools.partial(_accepts_kwargs, hooks.accepts_kwargs)


def _by_name(found: Any) -> Any:
    known = functools.cache(found)
    return lambda _, name: known(name)


def _accepts_kwargs(real: Any, handler: Any) -> Any:
    code = getattr(getattr(handler, "__func__", handler), "__code__", None)
    return real(handler) if code is None else code.co_flags & inspect.CO_VARKEYWORDS
