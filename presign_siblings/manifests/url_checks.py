"""Checks of the answers to a manifest's URLs."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from presign_siblings.manifests.check import Check, Faults
from presign_siblings.manifests.proof import Etags
from presign_siblings.manifests.requests import FetchError
from presign_siblings.manifests.streak import Streak
from presign_siblings.manifests.turns import at_once
from processor.causes import ARCHIVED
from processor.errors import error_code
from processor.plural import plural

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from presign_siblings.manifests.entry import Entry
    from presign_siblings.manifests.fetched import Got
    from presign_siblings.manifests.http import Fetcher


@dataclass(slots=True)
class Answers:
    """
    The answers of URLs.

    :param head:     A client that asks S3 itself for size and ETag, with the caller's own credentials.
    :param archived: How many objects are archived.
    :param untried:  URLs that were not fetched, because many before them were refused.
    """

    fetcher: Fetcher
    head: S3Client | None = None
    bucket: str | None = None
    streak: Streak = field(default_factory=Streak)
    etags: Etags = field(default_factory=Etags)
    count: int = 0
    size: int = 0
    archived: int = 0
    untried: int = 0
    wrong: Faults = field(default_factory=Faults)
    lock: Lock = field(default_factory=Lock)

    def fetch(self, entry: Entry) -> None:
        """Fetch an entry's URL, and note what is wrong with what comes; called by many threads."""
        if self.streak.is_hopeless:
            with self.lock:
                self.untried += 1
            return
        why = self._wrong(entry)
        with self.lock:
            self.count += 1
            if why is not None:
                self.wrong.add(f"{entry.key}: {why}")

    def _wrong(self, entry: Entry) -> str | None:
        try:
            got = at_once(self.etags.proven(lambda: self.fetcher.getting(entry.url, listed=entry.size)))
        except FetchError as error:
            with self.lock:
                self.streak.refused(error.code)
                self.archived += error.code == ARCHIVED
            return str(error)
        with self.lock:
            self.streak.came()
            self.size += got.size
        if entry.differs(got.size, got.etag):
            return "the object has changed since it was listed: another size or ETag"
        return None if self.head is None else self._otherwise(entry.key, got)

    def _otherwise(self, key: str, got: Got) -> str | None:
        """Return how the answer differs from S3's own size and ETag."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - links alone need not wait for it

        client: Any = self.head
        try:
            head = client.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            return f"S3 answered a HEAD with {error_code(error)}"
        of_head = (head["ContentLength"], head.get("ETag", "").strip('"').lower())
        if of_head == (got.size, got.etag):
            return None
        return f"S3 has {plural(of_head[0], 'byte')}, {got.size:,} came, or another ETag"

    def check(self) -> Check:
        """Return the check of all answers."""
        notes = [f"{self.count:,} fetched, {plural(self.size, 'byte')}", self.etags.note]
        seen = self.wrong.summary("; ".join(note for note in notes if note))
        if self.streak.is_hopeless:
            seen = f"stopped, {self.streak}, {plural(self.untried, 'more was', 'more were')} not tried: {seen}"
        return Check("URLs give their objects' bytes", not self.wrong.count, seen)
