"""A page of the listing: the keys that a job takes of what S3 returned, and how many it leaves out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from processor.errors import ArchivedError, shown
from processor.job import ARCHIVED_FAIL, ARCHIVED_SKIP
from processor.listing.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from processor.job import Job
    from processor.listing.facts import Row
    from processor.listing.listed import Listed

ARCHIVED_KEYS = "archived"  # why keys were left out


@dataclass(frozen=True, slots=True)
class Page:
    """
    One page of the listing.

    :param keys:     The keys that the job takes, in S3 order.
    :param listed:   How many keys S3 returned, taken or not.
    :param cursor:   Continuation token of the next page.
    :param last_key: Last key that S3 returned in this page or an earlier one.
    :param is_last:  Whether the listing ends here.
    :param unsignable: Keys that the job takes and that cannot be signed, each with the reason.
    :param archived: How many keys that the job takes are archived.
    :param skipped:  How many keys were left out, by reason.
    :param facts:    The facts that the job needs, by key: each row begins with the job's ``fields``.
    """

    keys: list[str]
    listed: int
    cursor: str | None
    last_key: str | None
    is_last: bool
    unsignable: tuple[tuple[str, str], ...] = ()
    archived: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Row] = field(default_factory=dict)


class PageMaker:
    """
    Makes a job's pages.

    ``facts`` are the names of the facts that a page must have of each object, in the order of a row; ``named`` returns
    those of some keys that the job takes by their names alone.

    :param excluded:     Prefixes whose keys are never taken: they hold manifests.
    :param last_started: When the job's last complete run began.
    """

    def __init__(self, job: Job, excluded: tuple[str, ...], last_started: datetime | None) -> None:
        self._job, self._choice = job, Choice(job, excluded, last_started)
        self.facts, self.named = self._choice.facts, self._choice.names

    def page(
        self,
        keys: Sequence[str],
        front: str,
        found: Listed,
        unsignable: Sequence[tuple[str, str]] = (),
        *,
        is_last: bool,
    ) -> Page:
        """
        Make a page of keys that are next in order.

        :param front:   The last key up to which the range is listed.
        :param found:   The answer that the keys come from.
        :param is_last: Whether the range ends with these keys.
        """
        end_at = self._job.end_at
        ended = is_last or (end_at is not None and bool(keys) and keys[-1] >= end_at)
        page = Page(list(keys), len(keys), None, front or None, ended, facts=found.facts)
        return self.made(page, found.archived, unsignable)

    def made(self, page: Page, archived: Collection[str], unsignable: Sequence[tuple[str, str]]) -> Page:
        """
        Choose the keys of a page that the job takes, and count the others that it would have taken.

        :param archived:   Keys that cannot be read at once.
        :param unsignable: Keys that cannot be signed, each with the reason.
        :raises ArchivedError: A key is archived, and the job says ``archived: fail``.
        """
        keys, skipped = self._choice.of(page.keys, page.facts)
        unsignable = tuple((key, reason) for key, reason in unsignable if self.named([key]))
        cold = [key for key in keys if key in archived] if archived else []
        if cold and self._job.archived == ARCHIVED_FAIL:
            raise ArchivedError(
                f"{shown(cold[0])} is archived, and the job has archived: {ARCHIVED_FAIL}; restore it first"
            )
        if cold and self._job.archived == ARCHIVED_SKIP:
            keys = [key for key in keys if key not in archived]
            skipped[ARCHIVED_KEYS] = len(cold)
        return replace(page, keys=keys, unsignable=unsignable, archived=len(cold), skipped=skipped)
