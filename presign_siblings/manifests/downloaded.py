"""The progress of a download, in this process and in those that share its files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from presign_siblings.manifests.proof import Etags

COUNTS = ("fetched", "kept", "size", "passed", "under_way", "failed", "passing", "changed")
REMEMBERED = 100  # failures that are reported one by one


@dataclass(slots=True)
class Downloaded:
    """
    The progress of a download.

    :param fetched: Files that came now.
    :param kept:    Files that existed already, and match their objects in size and ETag.
    :param size:    Bytes that came now.
    :param passed:  Bytes of the files that came now or existed, by the manifest's sizes.
    :param under_way: Bytes of files that are not whole yet.
    :param failed:  Files that did not come.
    :param passing: Files among these that may come at another try.
    :param changed: Objects that have changed since they were listed: another size or ETag.
    :param failures: The first files that did not come, and why.
    :param stopped: Why the rest was not tried; ``None`` when all were.
    """

    fetched: int = 0
    kept: int = 0
    size: int = 0
    passed: int = 0
    under_way: int = 0
    failed: int = 0
    passing: int = 0
    changed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    stopped: str | None = None
    etags: Etags = field(default_factory=Etags)

    def written(self) -> bytes:
        """Return the progress as bytes for another process."""
        etags = self.etags.matching, self.etags.other, self.etags.unproven
        counts = [getattr(self, name) for name in COUNTS]
        return json.dumps([counts, self.failures, self.stopped, etags]).encode()

    @classmethod
    def read(cls, written: bytes) -> Downloaded:
        """Read what another process has written."""
        counts, failures, stopped, etags = json.loads(written)
        named = dict(zip(COUNTS, counts, strict=True))
        return cls(**named, failures=[(key, why) for key, why in failures], stopped=stopped, etags=Etags(*etags))

    def add(self, other: Downloaded) -> None:
        """Add what another process of the same download has done."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures = (self.failures + other.failures)[:REMEMBERED]
        self.stopped = self.stopped or other.stopped
        self.etags.add(other.etags)

    def fail(self, key: str, why: str, *, passing: bool = False) -> None:
        """Note a file that did not come."""
        self.failed += 1
        self.passing += passing
        if len(self.failures) < REMEMBERED:
            self.failures.append((key, why))
