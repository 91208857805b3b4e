"""Whether what came is the object: a checksum tells, an ETag that is an MD5, or that the same came twice."""

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
    What a download learns about a store's ETags: some look like an MD5 and are none.

    Those of objects under a customer's key behind a gateway are none, and those of some stores never are.

    :param matching: Objects whose ETag is the MD5 of their bytes.
    :param other:    Objects whose ETag is not, although it looks so: their bytes came twice the same.
    :param unproven: Objects that were taken by their size alone, once the store's ETags were known to be no MD5.
    """

    matching: int = 0
    other: int = 0
    unproven: int = 0
    lock: Lock = field(default_factory=Lock)

    ENOUGH = 3  # objects after which a store none of whose ETags was an MD5 is believed to have no such ETags

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
        """What to tell an operator; ``None`` where every ETag was what it looks like."""
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

        :param known: MD5 of the bytes that an earlier fetch brought, as a file that is there already.
        :raises FetchError: It did not come, or came otherwise at each try.
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
        """Tell whether bytes that the ETag does not name are the object's all the same."""
        if got.md5 in seen:
            self.other += 1
            return True
        self.unproven += not self.are_checksums
        return not self.are_checksums
