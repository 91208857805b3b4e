"""Verify a manifest: every line, and the answers of a sample of its URLs or of all."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from presign_siblings.manifests.check import Check
from presign_siblings.manifests.line_checks import Reading
from presign_siblings.manifests.workers import for_each_concurrently
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from presign_siblings.manifests.entry import Entry
    from presign_siblings.manifests.url_checks import Answers


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a verification found.

    :param fetched:    How many URLs were fetched.
    :param ends_at:    Latest instant at which all URLs can work.
    :param of_session: Whether a session signed any URL: such a URL dies with the session.
    :param size:       Bytes of all objects, where every line gives a size.
    :param hindered:   How many links many clients cannot fetch, by reason.
    """

    checks: list[Check]
    count: int
    fetched: int
    ends_at: datetime | None
    of_session: bool
    size: int | None
    hindered: Mapping[str, int]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


def verify(
    lines: Iterator[bytes],
    answers: Answers,
    now: datetime,
    *,
    sample: int | None,
    concurrency: int,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Report:
    """
    Verify a manifest.

    :param sample:      How many URLs to fetch, 0 for none, ``None`` for all of them.
    :param on_progress: Called with the number of lines so far.
    """
    reading = Reading(sample, random.SystemRandom())

    def wellformed() -> Iterator[Entry]:
        for line in lines:
            entry = reading.read(line)
            if reading.count % 1000 == 0:
                on_progress(reading.count)
            if entry is not None:
                yield entry

    entries = wellformed()
    if sample is not None:
        deque(entries, maxlen=0)  # in this thread, since Ctrl-C would otherwise wait for the last line
        entries = iter(reading.kept)
    for_each_concurrently(entries, answers.fetch, concurrency, answers.fetcher.stop)
    on_progress(reading.count)
    checks = [*reading.checks(now), *([answers.check()] if sample != 0 and not reading.is_foreign else [])]
    if reading.archived or answers.archived:
        checks.append(_archive(reading.archived, answers.archived))
    ends_at, of_session = reading.ends_at, reading.of_session > 0
    return Report(checks, reading.count, answers.count, ends_at, of_session, reading.total, reading.hindered)


def _archive(listed: int, refused: int) -> Check:
    """Report objects that must be restored before their links work."""
    sentences = []
    if listed:
        lines = plural(listed, "line names", "lines name")
        sentences.append(f"{lines} an archive's storage class: such a link works once its object is restored")
    if refused:
        sentences.append(f"of those fetched, archived and not restored: {refused:,}")
    return Check("no object waits in an archive", not refused, "; ".join(sentences))
