"""Download a manifest's objects into a folder: many at once, and what is there already is not fetched again."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiofiles

from presign_siblings.manifests.file_names import Names
from presign_siblings.manifests.http import FetchError, again
from presign_siblings.manifests.safe_folder import Folder, Place, StrangerError
from presign_siblings.manifests.workers import for_each_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from presign_siblings.manifests.http import Fetcher, Got
    from presign_siblings.manifests.reader import Entry

FATAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE})
REMEMBERED = 100  # failures that are told one by one


@dataclass(slots=True)
class Downloaded:
    """
    How far a download is.

    :param fetched: Files that came now.
    :param kept:    Files that were there already, as large as their objects.
    :param size:    Bytes that came now.
    :param failed:  How many did not come; ``failures`` tells the first of them.
    """

    fetched: int = 0
    kept: int = 0
    size: int = 0
    failed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)

    def fail(self, key: str, why: str) -> None:
        """Note a file that did not come."""
        self.failed += 1
        if len(self.failures) < REMEMBERED:
            self.failures.append((key, why))


@dataclass(frozen=True, slots=True)
class Download:
    """
    A download under way.

    :param tell: Told how far it is, at each file.
    """

    folder: Folder
    fetcher: Fetcher
    tell: Callable[[Downloaded], None] = lambda _: None
    so_far: Downloaded = field(default_factory=Downloaded)

    async def run(self, entries: Iterator[Entry], concurrency: int) -> Downloaded:
        """
        Fetch what is not there yet.

        :param entries:     In order, each key once: names depend on it.
        :param concurrency: Files at once.
        """
        names = Names(folds=self.folder.folds())
        named = ((entry, names.path(entry.key)) for entry in entries)
        await for_each_concurrently(named, self._one, concurrency)
        return self.so_far

    async def _one(self, named: tuple[Entry, tuple[str, ...]]) -> None:
        entry, segments = named
        try:
            with self.folder.place(segments) as place:
                await self._bring(entry.url, place)
        except (FetchError, StrangerError) as error:
            self.so_far.fail(entry.key, str(error))
        except OSError as error:
            if error.errno in FATAL:
                raise
            self.so_far.fail(entry.key, error.strerror or type(error).__name__)
        self.tell(self.so_far)

    async def _bring(self, url: str, place: Place) -> None:
        there = place.size()
        if there is not None and there == await again(lambda: self.fetcher.size(url)):
            self.so_far.kept += 1
            return
        try:
            got = await again(lambda: self._written(url, place))
            place.appear()
        except BaseException:
            place.forget()
            raise
        self.so_far.fetched += 1
        self.so_far.size += got.size

    async def _written(self, url: str, place: Place) -> Got:
        descriptor: Any = place.open()
        async with aiofiles.open(descriptor, "wb") as file:
            return await self.fetcher.get(url, file.write)
