"""``verify``: check a manifest."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from presign_siblings.cli.console import coloured
from presign_siblings.cli.program import printable
from presign_siblings.cli.reading import opening, reading, refuse_none
from presign_siblings.errors import DONE, UNTRUE
from presign_siblings.manifests import reader
from presign_siblings.manifests.http import Fetcher
from presign_siblings.manifests.joined import counted, seekable
from presign_siblings.manifests.location import place
from presign_siblings.manifests.url_checks import Answers
from presign_siblings.manifests.verify import verify as verified
from processor.hindrances import describe
from processor.instant import ISO
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_s3 import S3Client

    from presign_siblings.cli.console import Terminal
    from presign_siblings.manifests.reader import Counted
    from presign_siblings.manifests.verify import Report


def verify(  # noqa: PLR0913 - an option each
    terminal: Terminal,
    manifest_place: str,
    sample: int,
    parallel: int,
    head: str | None,
    *,
    everything: bool,
    allow_empty: bool,
) -> None:
    """Verify a manifest: a file, s3://bucket/key, its URL or -, plain or gzip."""
    report = _verify(terminal, manifest_place, None if everything else sample, parallel, head)
    refuse_none(report.count, allow_empty=allow_empty)
    if terminal.json:
        terminal.result(_facts(report, datetime.now(UTC)))
    else:
        for check in report.checks:
            mark = coloured("ok    ", "green") if check.passed else coloured("FAILED", "red")
            terminal.say(f"{mark} {check.name}: {printable(check.seen)}")
        for text in describe(report.hindered).values():
            terminal.note(text)
    raise SystemExit(DONE if report.passed else UNTRUE)


def _facts(report: Report, now: datetime) -> dict[str, Any]:
    """Return what was found, for a script."""
    return {
        "passed": report.passed,
        "count": report.count,
        "fetched": report.fetched,
        "bytes": report.size,
        "expires_at": report.ends_at and report.ends_at.strftime(ISO),
        "seconds_left": report.ends_at and round((report.ends_at - now).total_seconds()),
        "ends_with_session": report.of_session,
        "hindered": report.hindered,
        "checks": [{"name": each.name, "passed": each.passed, "seen": each.seen} for each in report.checks],
    }


def _verify(terminal: Terminal, named: str, sample: int | None, parallel: int, head: str | None) -> Report:
    client, fetching = partial(terminal.client, "s3"), Fetcher(concurrency=parallel)
    opened = _opened(terminal, named, client, at_length=sample is None)
    with opened as stream, reading(terminal, stream) as show, fetching as fetcher:
        answers = Answers(fetcher, client() if head else None, head)
        return verified(
            reader.lines(stream),
            answers,
            datetime.now(UTC),
            sample=sample,
            concurrency=parallel,
            on_progress=lambda count: show(f"{plural(count, 'line')}, {answers.count:,} fetched"),
        )


@contextmanager
def _opened(terminal: Terminal, named: str, client: Callable[[], S3Client], *, at_length: bool) -> Iterator[Counted]:
    """
    Open a manifest.

    :param at_length: Whether it is read while objects are fetched: a store closes an answer that pauses for a minute.
    """
    if at_length:
        with opening(terminal, partial(seekable, named, client)) as file:
            yield counted(file)
    else:
        with reader.opened(place(named), client) as stream:
            yield stream
