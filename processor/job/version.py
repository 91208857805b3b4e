"""
The version of what one hop writes for another: the sibling payload and the ledger's record.

A function is updated, or put back, while chains are under way. What an older version wrote is read; what a newer one
wrote may mean something that this one does not know, and is refused by name. A field that is absent where it has its
default needs no new version.
"""

from __future__ import annotations

from processor.errors import InvalidEventError
from processor.job import validation

VERSION = 1
VERSION_FIELD = "version"
_FIRST, _LIMIT = 1, 1_000_000


def check_version(written: object) -> None:
    """
    Refuse what a newer version wrote.

    :param written: The version as it was read; ``None`` from the first one, which wrote none.
    :raises InvalidEventError: This version does not know it.
    """
    version = _FIRST if written is None else validation.integer(VERSION_FIELD, written, _FIRST, _LIMIT)
    if version > VERSION:
        rule = f"must be at most {VERSION}: a newer version of the function wrote this, and can continue with it"
        raise InvalidEventError(VERSION_FIELD, version, rule)
