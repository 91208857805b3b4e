"""A complete manifest that is empty, much smaller than the last, or full of links that cannot work says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from processor.chain.shortfall import EMPTY, beyond_session, warnings
from processor.job import Counts, DeploymentSettings, Job
from tests.builders import job_of
from tests.conftest import NOW


def warnings_of(counts: Counts, last_count: int | None = None, **event: Any) -> dict[str, str]:
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
def test_an_empty_manifest_is_reported_with_its_likely_cause(
    event: dict[str, Any], counts: dict[str, Any], sentence: str
) -> None:
    """A typo in a prefix, or in a glob, is no finished job."""
    assert sentence in warnings_of(Counts(**counts), **event)["empty_manifest"]


def test_an_empty_manifest_is_given_no_cause_that_it_does_not_have() -> None:
    """Where nothing else is known, the sentence ends with the place."""
    assert warnings_of(Counts(), prefix="in/") == {EMPTY: "no key under 'in/' in bucket reports ends in '.pdf'"}


@pytest.mark.parametrize(
    ("expiry", "of_role", "beyond"),
    [
        (timedelta(days=7), True, timedelta(days=6, hours=12)),
        (timedelta(hours=12), True, timedelta()),
        (timedelta(minutes=15), True, timedelta()),
        (timedelta(days=7), False, timedelta()),
    ],
)
def test_only_links_of_a_role_end_with_a_session(expiry: timedelta, *, of_role: bool, beyond: timedelta) -> None:
    """Those of an IAM user's keys live as long as they say."""
    assert beyond_session(int(expiry.total_seconds()), of_role=of_role) == beyond


@pytest.mark.parametrize(("last", "is_reported"), [(None, False), (30, False), (31, True)])
def test_a_collapse_since_the_last_run_is_reported(last: int | None, *, is_reported: bool) -> None:
    """Fewer than a tenth of its keys: the bucket has changed."""
    assert ("few_keys" in warnings_of(Counts(count=3), last)) == is_reported


@pytest.mark.parametrize(("archived", "is_reported"), [("include", True), ("skip", False)])
def test_links_of_archived_objects_are_reported(archived: str, *, is_reported: bool) -> None:
    """They answer 403; where they were left out, every link works."""
    assert ("archived_objects" in warnings_of(Counts(count=3, archived=2), archived=archived)) == is_reported


def test_a_manifest_as_expected_causes_no_warning() -> None:
    """Four keys last time, three now."""
    assert warnings_of(Counts(count=3), 4) == {}


def test_an_unchanged_bucket_is_no_shortfall() -> None:
    """A job of changed objects may find none changed; one that finds no object at all warns."""
    job = job_of(modified_since="P1D")
    assert warnings(job, Counts(skipped={"modified_since": 5}), 1000) == {}
    assert list(warnings(job, Counts(), None)) == [EMPTY]


def test_links_that_clients_change_or_refuse_are_reported() -> None:
    """The job is complete, and the sender learns it before the recipient."""
    found = warnings_of(Counts(count=3, hindered={"dots_in_path": 2}))
    assert found["dots_in_path"].startswith("2 keys have . or .. as a path segment, which browsers")
    assert warnings_of(Counts(count=3, hindered={"long_urls": 1}))["long_urls"].startswith(
        "1 link is longer than 8,192 bytes"
    )
