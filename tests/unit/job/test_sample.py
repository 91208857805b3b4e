"""The keys whose links are probed for the whole manifest."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from operator import add

from processor.job import Checkpoint, Counts, Sample

KEYS = [f"{number:02}" for number in range(40)]


def counts(keys: list[str]) -> Counts:
    """Return the counts of some keys."""
    return Counts(count=len(keys), sample=Sample.of(keys))


def test_first_and_last_are_those_of_the_manifest_whatever_came_first() -> None:
    """Ranges are listed in any order."""
    parts = [KEYS[30:], KEYS[:1], [], KEYS[1:30]]
    sample = reduce(add, map(counts, parts), Counts()).sample
    assert (sample.first, sample.last) == ("00", "39")
    assert sample.other in KEYS
    assert set(sample.keys) >= {"00", "39"}


def test_the_third_key_of_the_sample_may_be_any_key() -> None:
    """The only key of a page counts no more than any other."""
    seen = Counter((counts(KEYS[:39]) + counts(KEYS[39:])).sample.other for _ in range(4000))
    assert set(seen) == set(KEYS)
    assert seen["39"] < 400


def test_a_checkpoint_keeps_the_sample() -> None:
    """A checkpoint of an older version has none."""
    kept = Checkpoint(job_key="k", job_id="i", counts=counts(KEYS))
    assert Checkpoint.from_bytes(kept.to_bytes()).counts.sample == kept.counts.sample
    assert Sample().keys == ()
