"""Proof that the bytes are the object's: a checksum, an ETag that is an MD5, or equal bytes from two fetches."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from presign_siblings.manifests.attempts import ATTEMPTS, again
from presign_siblings.manifests.requests import FetchError
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from presign_siblings.manifests.fetched import Got
    from presign_siblings.manifests.turns import Steps

CHECKSUM = "checksum"


@dataclass(slots=True)
class Etags:
    """
    What a download learns about a store's ETags: some look like an MD5 and are not.

    Some stores' never are, and neither are those of objects under a customer's key behind a gateway.

    :param matching: Objects whose ETag is the MD5 of their bytes.
    :param other:    Objects whose ETag only looks so: two fetches brought equal bytes.
    :param unproven: Objects that were taken by their size alone, once the store's ETags were known to be no MD5.
    """

    matching: int = 0
    other: int = 0
    unproven: int = 0
    lock: Lock = field(default_factory=Lock)

    ENOUGH = 3  # objects without a match after which a store's ETags count as no MD5s

    def add(self, learned: Etags) -> None:
        """Add what another process of the same download has learned."""
        self.matching += learned.matching
        self.other += learned.other
        self.unproven += learned.unproven

    @property
    def are_checksums(self) -> bool:
        """Whether an ETag that differs from the MD5 says anything."""
        return self.matching > 0 or self.other < self.ENOUGH

    @property
    def note(self) -> str | None:
        """A note for the operator; ``None`` where every ETag was what it looks like."""
        if not self.other:
            return None
        rest = f", {self.unproven:,} taken by their size" if self.unproven else ""
        return (
            f"the ETag is no MD5 of the bytes for {plural(self.other + self.unproven, 'object')}: "
            f"{self.other:,} came twice the same{rest}"
        )

    def proven(self, fetch: Callable[[], Steps[Got]], known: str | None = None) -> Steps[Got]:
        """
        Fetch an object until its bytes are known to be its own.

        :param known: MD5 of the bytes of an earlier fetch, such as a file that exists.
        :raises FetchError: The object did not come, or each try brought other bytes.
        """
        seen = {known}
        for _ in range(ATTEMPTS):
            got = yield from again(fetch)
            with self.lock:
                if got.is_proven is not False:
                    self.matching += got.agrees is None and got.is_md5
                    return got
                if got.agrees is None and self._is_enough(got, seen):
                    return got
            seen.add(got.md5)
        raise FetchError("the bytes do not match the checksum", code=CHECKSUM, passing=True)

    def _is_enough(self, got: Got, seen: set[str | None]) -> bool:
        """Return whether bytes that do not match the ETag count as the object's."""
        if got.md5 in seen:
            self.other += 1
            return True
        self.unproven += not self.are_checksums
        return not self.are_checksums
