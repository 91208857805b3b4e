"""Which keys a job takes, and the reason for each that it leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.errors import SourceRefusedError
from processor.job import LAST
from processor.listing.choice import Choice
from tests.builders import job_of
from tests.conftest import NOW

LAST_RUN = datetime(2026, 3, 31, 6, 30, 0, 700_000, UTC)
IN: dict[str, Any] = {"prefix": "in/", "suffix": ""}


def taken(keys: list[str], row: tuple[str | None, ...] = (), **fields: Any) -> tuple[list[str], dict[str, int]]:
    """Choose among keys that all have the same facts."""
    return Choice(job_of(**fields), (), LAST_RUN).of(keys, dict.fromkeys(keys, row))


@pytest.mark.parametrize(
    ("fields", "kept", "skipped"),
    [
        ({"suffix": [".PDF", ".txt"]}, ["in/a.pdf", "in/b.TXT", "in/c/d.pdf"], {"suffix": 1}),
        ({"suffix": ["", ".txt"]}, ["in/a.pdf", "in/b.TXT", "in/c/d.pdf", "in/e[1]"], {}),
        (IN | {"include": "*.pdf"}, ["in/a.pdf", "in/c/d.pdf"], {"include": 2}),
        (IN | {"include": ["a*", "?.TXT"]}, ["in/a.pdf", "in/b.TXT"], {"include": 2}),
        (IN | {"include": "in/*"}, [], {"include": 4}),
        (IN | {"exclude": "c/*"}, ["in/a.pdf", "in/b.TXT", "in/e[1]"], {"exclude": 1}),
        (IN | {"exclude": "*[[]1]"}, ["in/a.pdf", "in/b.TXT", "in/c/d.pdf"], {"exclude": 1}),
        (IN | {"include": "*.pdf", "exclude": "*a*"}, ["in/c/d.pdf"], {"include": 2, "exclude": 1}),
        (IN | {"include": "", "exclude": []}, ["in/a.pdf", "in/b.TXT", "in/c/d.pdf", "in/e[1]"], {}),
    ],
)
def test_a_key_is_taken_or_left_out_by_its_name(
    fields: dict[str, Any], kept: list[str], skipped: dict[str, int]
) -> None:
    """A glob sees what follows the prefix; an asterisk crosses slashes, as in the AWS command line."""
    keys = ["in/a.pdf", "in/b.TXT", "in/c/d.pdf", "in/e[1]"]
    assert taken(keys, **IN | fields) == (kept, skipped)


@settings(max_examples=300)
@given(
    key=st.text("ab/.*[!-]\n", max_size=8),
    glob=st.text("ab/.*?[]!-", min_size=1, max_size=6).filter(lambda glob: "**/" not in glob),
)
def test_a_glob_matches_as_in_fnmatch(key: str, glob: str) -> None:
    """The AWS command line uses fnmatch, too; ``**/``, which other tools read otherwise, is refused."""
    kept, _ = taken([f"in/{key}"], include=[glob], **IN)
    assert bool(kept) is fnmatchcase(key, glob)


@pytest.mark.parametrize(
    ("fields", "row", "reason"),
    [
        ({"min_size": 7}, ("7",), None),
        ({"min_size": "8"}, ("7",), "min_size"),
        ({"max_size": 7}, ("7",), None),
        ({"max_size": 0}, ("7",), "max_size"),
        ({"storage_classes": ["STANDARD", "GLACIER_IR"]}, ("GLACIER_IR",), None),
        ({"storage_classes": "STANDARD"}, ("GLACIER_IR",), "storage_classes"),
        ({"modified_since": "P1D"}, ("2026-03-31T06:30:15.000Z",), None),
        ({"modified_since": "1d"}, ("2026-03-31T06:30:14.999Z",), "modified_since"),
        ({"modified_since": "24h"}, ("2026-03-31T06:30:15Z",), None),
        ({"modified_before": "P1D"}, ("2026-03-31T06:30:15.000Z",), "modified_before"),
        ({"modified_before": "2026-03-31T08:30:15+02:00"}, ("2026-03-31T06:30:14.999Z",), None),
    ],
)
def test_a_key_is_taken_or_left_out_by_its_facts(fields: dict[str, Any], row: tuple[str], reason: str | None) -> None:
    """Sizes as numbers; dates as S3 writes them, and as other stores do."""
    assert datetime(2026, 4, 1, 6, 30, 15, tzinfo=UTC) == NOW
    kept, skipped = taken(["a.pdf"], row, **fields)
    assert (kept, skipped) == (([], {reason: 1}) if reason else (["a.pdf"], {}))


def test_a_choice_by_a_fact_that_the_listing_lacks_is_refused() -> None:
    """Rather no manifest than one with keys too few or too many."""
    with pytest.raises(SourceRefusedError, match="does not give the size of 'a.pdf': min_size"):
        taken(["a.pdf"], (None,), min_size=1)
    with pytest.raises(SourceRefusedError, match="not an ISO 8601 time"):
        taken(["a.pdf"], ("yesterday",), modified_since="P1D")


def test_a_row_begins_with_the_facts_of_the_lines() -> None:
    """And has each fact once."""
    job = job_of(fields="etag,size", min_size=1, max_size=2, modified_before="P1D")
    assert Choice(job, (), None).facts == ("size", "etag", "last_modified")


def test_an_object_changed_in_the_second_of_the_last_runs_start_is_taken_again() -> None:
    """S3 dates to the second: a change a moment later has an earlier date than the run's start."""
    job = replace(job_of(), modified_since=LAST)
    for date, is_taken in (("06:30:00.000Z", True), ("06:29:59.999Z", False)):
        kept, _ = Choice(job, (), LAST_RUN).of(["a.pdf"], {"a.pdf": (f"2026-03-31T{date}",)})
        assert kept == (["a.pdf"] if is_taken else [])
    kept, _ = Choice(job, (), None).of(["a.pdf"], {})
    assert kept == ["a.pdf"], "the first run takes all"
