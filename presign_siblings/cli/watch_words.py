"""The words of ``watch`` about a job: for a line of text, and for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presign_siblings.cli.program import printable
from presign_siblings.remote.slowest import in_words
from presign_siblings.words import span
from processor.ledger import FANNED_OUT
from processor.plural import plural

if TYPE_CHECKING:
    from presign_siblings.remote.watch import WatchSample
    from processor.ledger import Record


def keys(sample: WatchSample) -> str:
    """Return the count of keys, the expected count, and the rate."""
    rate = "" if sample.rate is None else f", {sample.rate:,.0f} keys/s"
    of = "" if sample.expected is None else f" of about {sample.expected:,}"
    left = "" if sample.left is None else f", about {span(sample.left.total_seconds())} left"
    return f"{plural(sample.snapshot.record.count, 'key')}{of}{rate}{left}"


def ranges(record: Record) -> str:
    """Return how many ranges are done, of a job that several chains share."""
    shared = record.state == FANNED_OUT
    return f", {record.ranges_done} of {record.ranges} ranges done" if shared else ""


def slowest(sample: WatchSample) -> str:
    """Return which range holds the job up."""
    range_text = in_words(sample.slowest, sample.now)
    return range_text and f"; {range_text}"


def why(sample: WatchSample) -> str:
    """Return why a job has ended, where its record says so."""
    return f" ({printable(sample.snapshot.record.reason)})" if sample.snapshot.record.reason else ""
