"""The counts of the written lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from processor.job.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """
    The counts of the written lines.

    :param count:      Keys that were signed.
    :param errors:     Keys that could not be signed.
    :param pages:      Pages of the listing.
    :param expires_at: Earliest expiry of any URL, UTC.
    :param archived:   Keys of archived objects, whether they were signed or left out.
    :param skipped:    Keys that were left out, by reason.
    :param hindered:   Signed keys whose links many clients cannot fetch, by reason; and what an earlier manifest's
                       links did that these do not.
    :param sample:     Some of the keys that were signed.
    """

    count: int = 0
    errors: int = 0
    pages: int = 0
    expires_at: datetime | None = None
    archived: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    hindered: Mapping[str, int] = field(default_factory=dict)
    sample: Sample = field(default=Sample(), compare=False)

    def __add__(self, others: Counts) -> Counts:
        """Return the sum of both."""
        expiries = [at for at in (self.expires_at, others.expires_at) if at is not None]
        return Counts(
            count=self.count + others.count,
            errors=self.errors + others.errors,
            pages=self.pages + others.pages,
            expires_at=min(expiries, default=None),
            archived=self.archived + others.archived,
            sample=self.sample.joined(others.sample, others.count / max(1, self.count + others.count)),
            skipped=_sum(self.skipped, others.skipped),
            hindered=_sum(self.hindered, others.hindered),
        )


def _sum(some: Mapping[str, int], others: Mapping[str, int]) -> Mapping[str, int]:
    return {name: some.get(name, 0) + others.get(name, 0) for name in (*some, *others)} if others else some
