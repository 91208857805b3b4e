"""
The version of what one hop writes for another: the sibling payload and the ledger's record.

A function is updated, or put back, while chains are under way. What an older version wrote is read; what a newer one
wrote may mean something that this one does not know, and is refused by name. A field that is absent where it has its
default needs no new version: a version that does not know the field refuses what has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.errors import NewerVersionError
from processor.job import validation

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

VERSION = 1
VERSION_FIELD = "version"
_FIRST, _LIMIT = 1, 1_000_000


def check_version(written: object) -> None:
    """
    Refuse what a newer version wrote.

    :param written: The version as it was read; ``None`` from the first one, which wrote none.
    :raises NewerVersionError: This version does not know it.
    """
    version = _FIRST if written is None else validation.integer(VERSION_FIELD, written, _FIRST, _LIMIT)
    if version > VERSION:
        rule = f"must be at most {VERSION}: a newer version of the function wrote this, and can continue with it"
        raise NewerVersionError(VERSION_FIELD, version, rule)


def check_known(written: Mapping[str, Any], known: Collection[str], within: str = "") -> None:
    """
    Refuse fields that this version lacks: a newer version may have them, or they are mistyped.

    :param within: Text before the names in the message.
    :raises NewerVersionError: This version does not know one.
    """
    for name in sorted(set(written) - set(known)):
        rule = "is not a field of this version; if a newer version of the function wrote this, it can continue with it"
        raise NewerVersionError(f"{within}{name}", written[name], rule)
