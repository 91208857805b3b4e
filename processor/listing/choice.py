"""What a job takes of the keys that are listed, and why it leaves the others out."""

from __future__ import annotations

import re
from datetime import datetime
from fnmatch import translate
from typing import TYPE_CHECKING

from processor.errors import SourceRefusedError, shown
from processor.job import ACCESS_TIER, LAST, LAST_MODIFIED, SIZE, STORAGE_CLASS, VERSION_ID
from processor.listing.facts import as_s3_writes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from processor.job import Job
    from processor.listing.facts import Row

    Keep = Callable[[list[str]], list[str]]
    Test = Callable[[str], bool]

MANIFESTS, DELETED = "manifests", "deleted"
_S3_DATE = len("2026-04-01T06:30:15.000Z")


class Choice:
    """
    Chooses by names first, then by facts; the first reason counts.

    ``facts`` are the names of the facts that a listing must have of each object, in the order of a row: those of the
    job's lines first, and the version last where URLs name it.

    :param excluded:     Prefixes whose keys are never taken: they hold manifests.
    :param last_started: When the job's last complete run began.
    """

    def __init__(self, job: Job, excluded: Sequence[str], last_started: datetime | None) -> None:
        self._job = job
        self._by_name = list(_by_name(job, tuple(prefix for prefix in excluded if prefix.startswith(job.prefix))))
        self._by_fact = list(_by_fact(job, job.since(last_started)))
        needed = [fact for fact in dict.fromkeys(fact for _, fact, _ in self._by_fact) if fact not in job.fields]
        if job.keys_place is not None:  # a listing names the archived objects anyway
            needed += [fact for fact in (STORAGE_CLASS, ACCESS_TIER) if fact not in {*job.fields, *needed}]
        self.facts = (*job.fields, *needed, *([VERSION_ID] if job.version_ids else ()))

    def names(self, keys: list[str]) -> list[str]:
        """Return the keys that the job takes, by their names alone."""
        for _, keep in self._by_name:
            keys = keep(keys)
        return self._up_to_end(keys)

    def of(self, keys: list[str], facts: Mapping[str, Row]) -> tuple[list[str], dict[str, int]]:
        """
        Choose among listed keys.

        :param keys:  In order.
        :param facts: Rows by key.
        :return: The keys that the job takes, and how many it leaves out, by reason.
        :raises SourceRefusedError: The listing lacks a fact of an object.
        """
        keys, skipped = self._up_to_end(keys), dict[str, int]()
        for reason, keep in self._by_name:
            keys = _counted(reason, keys, keep(keys), skipped)
        if self._job.version_ids:
            keys = _counted(DELETED, keys, self._of_a_version(keys, facts), skipped)
        for reason, fact, passes in self._by_fact:
            place = self.facts.index(fact)
            kept = [key for key in keys if passes(self._known(reason, fact, key, facts[key][place]))]
            keys = _counted(reason, keys, kept, skipped)
        return keys, skipped

    def _of_a_version(self, keys: list[str], facts: Mapping[str, Row]) -> list[str]:
        """Return the keys that have a version: a listing gives none for what is deleted."""
        kept = [key for key in keys if facts[key][-1] is not None]
        if len(kept) < len(keys) and self._job.keys_place is not None:
            strange = next(key for key in keys if facts[key][-1] is None)
            raise SourceRefusedError(
                f"{self._job.keys_place} has no version of {shown(strange)}, which version_ids needs"
            )
        return kept

    def _up_to_end(self, keys: list[str]) -> list[str]:
        end_at = self._job.end_at
        return keys if end_at is None else [key for key in keys if key <= end_at]

    def _known(self, reason: str, fact: str, key: str, value: str | None) -> str:
        if value is None:
            place = self._job.keys_place or f"s3://{self._job.bucket}"
            raise SourceRefusedError(f"{place} does not give the {fact} of {shown(key)}: {reason} cannot be decided")
        return value


def _counted(reason: str, before: list[str], after: list[str], skipped: dict[str, int]) -> list[str]:
    if len(after) < len(before):
        skipped[reason] = skipped.get(reason, 0) + len(before) - len(after)
    return after


def _by_name(job: Job, excluded: tuple[str, ...]) -> list[tuple[str, Keep]]:
    """Return the filters of keys: each a reason, and the function that returns the keys to take."""
    endings, start = job.suffixes, len(job.prefix)
    found: list[tuple[str, Keep]] = []
    if endings:
        found.append(
            ("suffix", lambda keys: [key for key in keys if key.endswith(endings) or key.lower().endswith(endings)])
        )
    if excluded:
        found.append((MANIFESTS, lambda keys: [key for key in keys if not key.startswith(excluded)]))
    if job.include:
        taken = _matcher(job.include)
        found.append(("include", lambda keys: [key for key in keys if taken(key, start)]))
    if job.exclude:
        left = _matcher(job.exclude)
        found.append(("exclude", lambda keys: [key for key in keys if not left(key, start)]))
    return found


def _matcher(globs: Sequence[str]) -> Callable[[str, int], re.Match[str] | None]:
    """Return a function that matches a key, from a position on, against globs."""
    return re.compile("|".join(f"(?:{translate(glob)})" for glob in globs)).match


def _by_fact(job: Job, since: datetime | None) -> list[tuple[str, str, Test]]:
    """Return the filters by facts: each a reason, the fact, and the test of the fact's value."""
    found: list[tuple[str, str, Test]] = []
    low, high, classes, before = job.min_size, job.max_size, frozenset(job.storage_classes), job.before
    if low is not None:
        found.append(("min_size", SIZE, lambda value: int(value) >= low))
    if high is not None:
        found.append(("max_size", SIZE, lambda value: int(value) <= high))
    if classes:
        found.append(("storage_classes", STORAGE_CLASS, classes.__contains__))
    # The first run with "last" takes all keys, but refuses a list of keys without dates, as each later run would.
    if since is not None or (job.modified_since == LAST and job.keys_place is not None):
        first = "" if since is None else as_s3_writes(since)
        found.append(("modified_since", LAST_MODIFIED, lambda value: _date(value) >= first))
    if before is not None:
        end = as_s3_writes(before)
        found.append(("modified_before", LAST_MODIFIED, lambda value: _date(value) < end))
    return found


def _date(date: str) -> str:
    """Return a date of the listing as S3 writes it; other servers have forms of their own."""
    if len(date) == _S3_DATE and date.endswith("Z"):
        return date
    try:
        return as_s3_writes(datetime.fromisoformat(date))
    except ValueError:
        raise SourceRefusedError(
            f"the listing gives an object the date {shown(date)}, which is not an ISO 8601 time"
        ) from None
