"""A complete manifest that is empty, much smaller than the last, or full of links that cannot work says so."""

from __future__ import annotations

from typing import Any

import pytest

from processor.chain.shortfall import EMPTY, warnings
from processor.job import Counts, DeploymentSettings, Job
from tests.builders import job_of
from tests.conftest import NOW


def told(counts: Counts, last_count: int | None = None, **event: Any) -> dict[str, str]:
    """Return the warnings of a job."""
    deployment = DeploymentSettings.from_environment({}, {})
    job = Job.from_event({"bucket": "reports", **event}, config={}, environment={}, deployment=deployment, now=NOW)
    return warnings(job, counts, last_count)


@pytest.mark.parametrize(
    ("event", "counts", "sentence"),
    [
        ({"prefix": "in/"}, {}, "no key under 'in/' in bucket reports ends in '.pdf'"),
        ({"prefix": "in/", "suffix": ""}, {}, "no key under 'in/' in bucket reports"),
        ({"prefix": "in/*.pdf"}, {}, "the prefix contains *, which S3 takes literally"),
        ({"prefix": "in/[0-9]?"}, {}, "the prefix contains ? and [, which S3 takes literally"),
        ({"prefix": "/in/"}, {}, "the prefix begins with a slash, as few keys do"),
        ({}, {"skipped": {"manifests": 1200}}, "1,200 keys left out (manifests)"),
        (
            {"start_after": "x", "end_at": "b"},
            {},
            "the job takes only some of the keys: start_after 'x' and end_at 'b'",
        ),
        ({}, {"errors": 2}, "2 could not be signed"),
    ],
)
def test_no_key_is_told_with_what_may_be_wrong(event: dict[str, Any], counts: dict[str, Any], sentence: str) -> None:
    """A typo in a prefix, or a glob, is no job that is done."""
    assert sentence in told(Counts(**counts), **event)["empty_manifest"]


@pytest.mark.parametrize(("last", "is_told"), [(None, False), (30, False), (31, True)])
def test_a_collapse_against_the_last_run_is_told(last: int | None, *, is_told: bool) -> None:
    """Less than a tenth: something has happened to the bucket."""
    assert ("few_keys" in told(Counts(count=3), last)) == is_told


@pytest.mark.parametrize(("archived", "is_told"), [("include", True), ("skip", False)])
def test_links_of_archived_objects_are_told(archived: str, *, is_told: bool) -> None:
    """They answer 403; where they were left out, every link works."""
    assert ("archived_objects" in told(Counts(count=3, archived=2), archived=archived)) == is_told


def test_a_manifest_as_expected_is_told_nothing_of() -> None:
    """No news."""
    assert told(Counts(count=3), 4) == {}


def test_that_nothing_has_changed_is_no_shortfall() -> None:
    """A job of what changed is there to say so; one that found no object at all says that."""
    job = job_of(modified_since="P1D")
    assert warnings(job, Counts(skipped={"modified_since": 5}), 1000) == {}
    assert list(warnings(job, Counts(), None)) == [EMPTY]


def test_links_that_clients_change_or_refuse_are_told() -> None:
    """The job is complete, and the sender knows before the recipient does."""
    found = told(Counts(count=3, hindered={"dots_in_path": 2}))
    assert found["dots_in_path"].startswith("2 keys have . or .. as a path segment, which browsers")
    assert told(Counts(count=3, hindered={"long_urls": 1}))["long_urls"].startswith("1 link is longer than 8,192 bytes")
