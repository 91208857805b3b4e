"""Checks of a manifest's lines alone: whole, in order, each key once, signed for its key, alive."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from presign_siblings.manifests.check import Check, Faults
from presign_siblings.manifests.entry import Entry
from presign_siblings.words import span
from processor.hindrances import hindered
from processor.instant import ISO
from processor.plural import plural

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from datetime import datetime

COMPARED = 5_000_000  # keys that are compared in a manifest out of order: 60 bytes each


@dataclass(slots=True)
class Reading:
    """
    Checks of the lines, one after the other.

    :param sample: How many entries to keep for checks of their URLs, chosen evenly from all; ``None`` keeps none.
    """

    sample: int | None
    random: random.Random
    count: int = 0
    blank: int = 0
    size: int = 0
    malformed: Faults = field(default_factory=Faults)
    backwards: int = 0
    repeated: int = 0
    foreign: Faults = field(default_factory=Faults)
    undated: int = 0
    dies_at: datetime | None = None
    ends_at: datetime | None = None
    of_session: int = 0
    archived: int = 0
    object_bytes: int = 0
    hindered: Counter[str] = field(default_factory=Counter)
    sized: int = 0
    kept: list[Entry] = field(default_factory=list)
    _last: str = ""
    _before: str | None = None
    _hashes: array[int] = field(default_factory=lambda: array("q"))

    @property
    def is_foreign(self) -> bool:
        """Whether no line at all is one of a manifest."""
        return 0 < self.count == self.malformed.count

    def read(self, line: bytes) -> Entry | None:
        """Check a line; return its entry when the line has one."""
        self.size += len(line)
        if line.isspace():
            self.blank += 1
            return None
        self.count += 1
        try:
            entry = Entry.parse(line)
        except ValueError as error:
            self.malformed.add(f"line {self._number:,} {error}")
            return None
        self.backwards += entry.key < self._last
        self.repeated += entry.key == self._last
        self._last = entry.key
        if len(self._hashes) < COMPARED:
            self._hashes.append(hash(entry.key))
        self._place(entry)
        self.archived += entry.is_archived
        if found := hindered([entry.key], [entry.url]):
            self.hindered.update(found)
        self.sized += entry.size is not None
        self.object_bytes += entry.size or 0
        self._date(entry)
        self._choose(entry)
        return entry

    @property
    def _number(self) -> int:
        """The number of the line, as an editor counts."""
        return self.count + self.blank

    def _place(self, entry: Entry) -> None:
        """Check that a URL is signed for its key; the path before the key is the same in each URL of a manifest."""
        before = entry.before_key
        self._before = before if self._before is None else self._before
        if before is None or before != self._before:
            self.foreign.add(f"line {self._number:,}")

    @property
    def total(self) -> int | None:
        """Bytes of all objects, where every line gives a size."""
        return self.object_bytes if self.sized == self.count > 0 else None

    def _date(self, entry: Entry) -> None:
        dies_at, ends_at, of_session = entry.lifetime
        self.of_session += of_session
        if dies_at is None or ends_at is None:
            self.undated += 1
            return
        self.dies_at = min(self.dies_at or dies_at, dies_at)
        self.ends_at = min(self.ends_at or ends_at, ends_at)

    def _choose(self, entry: Entry) -> None:
        """Keep an even sample of a stream of unknown length (Vitter's algorithm R)."""
        if not self.sample:
            return
        if len(self.kept) < self.sample:
            self.kept.append(entry)
        elif (place := self.random.randrange(self.count)) < self.sample:
            self.kept[place] = entry

    def checks(self, now: datetime) -> Iterator[Check]:
        """Yield the checks that need the lines alone; a file without any line of a manifest fails once, as a whole."""
        if self.is_foreign:
            (first,) = self.malformed.first[:1]
            yield Check(
                "it is a manifest", passed=False, seen=f"no line of {self.count:,} is a key and its URL: {first}"
            )
            return
        lines = f"{plural(self.count, 'line')}, {plural(self.size, 'byte')}"
        lines += "" if self.total is None else f"; their objects have {plural(self.total, 'byte')}"
        yield Check("every line is a key and its URL", not self.malformed.count, self.malformed.summary(lines))
        yield self._once()
        yield Check(
            "every URL is signed, and for its key", not self.foreign.count, self.foreign.summary("path, signature")
        )
        yield self._life(now)

    def _once(self) -> Check:
        """Check that no key occurs twice; a manifest made from a list of keys has the list's order."""
        twice = len(self._hashes) - len(set(self._hashes)) if self.backwards else self.repeated
        back = plural(self.backwards, "line goes", "lines go")
        order = f"{back} back: not in S3's order" if self.backwards else "in S3's order"
        seen = f"{plural(twice, 'key comes', 'keys come')} twice, {order}" if twice else order
        beyond = self.count > COMPARED and self.backwards
        seen += f"; only the first {COMPARED:,} lines were compared" if beyond else ""
        return Check("every key once", not twice, seen)

    def _life(self, now: datetime) -> Check:
        name = "every URL is still alive"
        if self.undated:
            undated = plural(self.undated, "URL does not say when it dies", "URLs do not say when they die")
            return Check(name, passed=False, seen=undated)
        if self.dies_at is None or self.ends_at is None:
            return Check(name, passed=True, seen="there is none")
        left = (self.ends_at - now).total_seconds()
        dies, die = ("dies", "die") if left > 0 else ("died", "died")
        at = f"the first {dies} at {self.ends_at.strftime(ISO)}"
        if self.of_session:
            at += f" at the latest: a session has signed {self.of_session:,}, and they {die} with it"
        if left > 0:
            return Check(name, passed=True, seen=f"{'at most ' if self.of_session else ''}{span(left)} left: {at}")
        passed = self.dies_at > now  # no session of AWS lasts so long, but another store's may
        return Check(name, passed, f"{'probably ' if passed else ''}dead for {span(-left)}: {at}")
