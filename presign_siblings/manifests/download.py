"""Download a manifest's objects into a folder: many at once, and no file that exists already."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import takewhile
from threading import Lock
from typing import TYPE_CHECKING

from presign_siblings.errors import OF_DISKS, CommandError, naming
from presign_siblings.manifests.attempts import again
from presign_siblings.manifests.downloaded import Downloaded
from presign_siblings.manifests.fetched import Got
from presign_siblings.manifests.open_files import refuse_too_many
from presign_siblings.manifests.part_file import PartFile
from presign_siblings.manifests.parts import Slots
from presign_siblings.manifests.proof import CHECKSUM
from presign_siblings.manifests.requests import FetchError
from presign_siblings.manifests.safe_folder import Folder, Place, StrangerError, longest_name
from presign_siblings.manifests.streak import OF_OBJECTS, Streak
from presign_siblings.manifests.turns import Turns, at_once
from presign_siblings.manifests.workers import Away, for_each_concurrently
from processor.page import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.manifests.entry import Entry
    from presign_siblings.manifests.fetched import ObjectFacts
    from presign_siblings.manifests.http import Fetcher
    from presign_siblings.manifests.turns import Steps

    Named = tuple[Entry, set[str]]

OF_NO_USE = OF_OBJECTS | {CHECKSUM}  # codes that make partial bytes useless; a new link may continue a dead one's
REPORT_BYTES = 1 << 20  # bytes of one file between two reports of its progress


@dataclass(frozen=True)
class Download:
    """
    A download under way.

    :param on_progress: Called with the progress, at least at each file.
    :param streak:      When to give up.
    :param take:        Which keys to fetch.
    """

    folder: Folder
    fetcher: Fetcher
    on_progress: Callable[[Downloaded], None] = lambda _: None
    streak: Streak = field(default_factory=Streak)
    take: Callable[[str], bool] = lambda _: True
    so_far: Downloaded = field(default_factory=Downloaded)
    lock: Lock = field(default_factory=Lock)

    @cached_property
    def names(self) -> Names:
        """The names of the files in this folder."""
        return Names(folds=self.folder.folds, longest=longest_name(self.folder.path))

    def run(self, entries: Iterator[Entry], concurrency: int) -> Downloaded:
        """
        Fetch the files that do not exist yet.

        :param entries:     In order, each key once: names depend on it.
        :param concurrency: Files at once.
        """
        return self.fetch(self.named(entries), concurrency)

    def named(self, entries: Iterator[Entry]) -> Iterator[Named]:
        """
        Return the files to fetch, each with the earlier files on which its name depends.

        The files end with the download even while none is taken: else Ctrl-C would wait for the next one.
        """
        files = self.names.files
        named = ((entry, files(entry.key)) for entry in takewhile(self._continues, entries))
        return (each for each in named if self.take(each[0].key))

    def fetch(self, named: Iterator[Named], concurrency: int) -> Downloaded:
        """Fetch some of the files of ``named``, in its order."""
        one = partial(self._one, Slots(concurrency))
        if self.folder.is_slow:
            for_each_concurrently(named, lambda each: at_once(one(each)), concurrency, self.fetcher.stop)
        else:
            Turns(named, one, concurrency).run(self.fetcher.stop)
        if self.streak.is_hopeless:
            self.so_far.stopped = str(self.streak)
        return self.so_far

    def _continues(self, _: object) -> bool:
        return not (self.streak.is_hopeless or self.fetcher.is_stopped)

    def _one(self, slots: Slots, named: Named) -> Steps[None]:
        entry, files = named
        segments = self.names.named(entry.key, files)
        try:
            with slots:
                got = yield from self._bring(entry, self.folder.place(segments), slots)
        except (FetchError, StrangerError, OSError) as error:
            refuse_too_many(error)
            if isinstance(error, OSError) and self.folder.refusal is not None:
                raise self.folder.refusal from error
            if isinstance(error, OSError) and error.errno in OF_DISKS:
                with naming(self.folder.path.joinpath(*segments)):
                    raise
            if isinstance(error, FileNotFoundError) and self.folder.is_gone:
                raise CommandError(f"{self.folder.path} was removed while files came into it") from error
            with self.lock:
                self._note_failure(entry, error)
                self.on_progress(self.so_far)
        else:
            with self.lock:
                self._note(entry, got)
                self.on_progress(self.so_far)

    def _note_failure(self, entry: Entry, error: FetchError | StrangerError | OSError) -> None:
        if isinstance(error, FetchError):
            self.streak.refused(error.code)
            self.so_far.fail(entry.key, str(error), passing=error.passing)
        else:
            self.so_far.fail(entry.key, getattr(error, "strerror", None) or str(error) or type(error).__name__)

    def _note(self, entry: Entry, got: ObjectFacts | None) -> None:
        """
        Note a file that exists.

        :param got: What came, the facts that the store gave, or ``None`` where the line itself proves the file.
        """
        self.streak.came()
        self.so_far.passed += entry.size or 0
        if isinstance(got, Got):
            self.so_far.fetched += 1
        else:
            self.so_far.kept += 1
        self.so_far.changed += got is not None and entry.differs(got.size, got.etag)

    def _bring(self, entry: Entry, place: Place, slots: Slots) -> Steps[ObjectFacts | None]:
        known, size = None, place.size()
        if size is not None and self._is_as_listed(entry, place):
            place.forget()  # partial bytes of an object that was replaced for a while
            return None
        if size is not None:
            facts = yield from again(lambda: self.fetcher.read_facts(entry.url))
            known = self._md5(place, facts)
            if known is not None and self._is_there(facts, known):
                place.forget()
                return facts
        try:
            got = yield from self.so_far.etags.proven(lambda: self._written(entry, place, slots), known)
            place.appear()
        except FetchError as error:
            if error.code in OF_NO_USE:
                place.forget()
            raise
        return got

    def _is_as_listed(self, entry: Entry, place: Place) -> bool:
        """Whether the line itself proves that a file is its object: then the store need not be asked."""
        if entry.size is None or entry.etag is None or place.size() != entry.size:
            return False
        with Away():
            return place.md5() == entry.etag.lower()

    def _md5(self, place: Place, facts: ObjectFacts) -> str | None:
        """Return the MD5 of a file of the right size, or an empty text where no MD5 is known; else ``None``."""
        if place.size() != facts.size:
            return None
        with Away():
            return place.md5() if facts.is_md5 else ""

    def _is_there(self, facts: ObjectFacts, md5: str) -> bool:
        etags = self.so_far.etags
        with self.lock:
            if not facts.is_md5 or md5 == facts.etag:
                etags.matching += facts.is_md5
                return True
            etags.unproven += not etags.are_checksums
            return not etags.are_checksums

    @contextmanager
    def _reporting(self) -> Iterator[Callable[[int], None]]:
        """Count the bytes of one try at a file, which may be one of several, and report them under way."""
        came = reported = 0

        def count(more: int) -> None:
            nonlocal came, reported
            came += more
            if came - reported >= REPORT_BYTES:
                with self.lock:
                    self.so_far.under_way += came - reported
                    reported = came
                    self.on_progress(self.so_far)

        try:
            yield count
        finally:
            with self.lock:
                self.so_far.under_way -= reported
                self.so_far.size += came

    def _written(self, entry: Entry, place: Place, slots: Slots) -> Steps[Got]:
        """Fetch an object beside its place; partial bytes stay for the next try only after a broken connection."""
        try:
            with self._reporting() as count, PartFile(place, count) as file:
                got = yield from self.fetcher.getting(entry.url, file, slots, entry.size)
                file.end()
        except FetchError as error:
            error.begun = file.left
            if not place.noted():
                place.forget()
            raise
        return got
