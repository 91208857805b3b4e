"""What a download would do: nothing is fetched, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from presign_siblings.manifests.safe_folder import longest_name
from processor.page import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from presign_siblings.manifests.entry import Entry


@dataclass(slots=True)
class Plan:
    """
    What a download would do.

    :param missing: Files that would be fetched.
    :param present: Files that exist: each is compared with its object, and fetched again where it differs.
    :param size:    Bytes of the missing files whose size the manifest gives.
    :param unsized: How many missing files have a size that the manifest does not give.
    """

    missing: int = 0
    present: int = 0
    size: int = 0
    unsized: int = 0


def plan(entries: Iterator[Entry], folder: Path, take: Callable[[str], bool]) -> Plan:
    """
    Compare a manifest with a folder; the names are those of a file system that distinguishes upper and lower case.

    :param entries: In order, each key once: names depend on it.
    :param folder:  Need not exist.
    :param take:    Which keys would be fetched.
    """
    names, found = Names(longest=longest_name(folder)), Plan()
    for entry in entries:
        path = names.path(entry.key)
        if not take(entry.key):
            continue
        if folder.joinpath(*path).is_file():
            found.present += 1
            continue
        found.missing += 1
        found.size += entry.size or 0
        found.unsized += entry.size is None
    return found
