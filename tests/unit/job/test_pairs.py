"""Every pair of fields of an event is refused by name, or makes the same job wherever it is written."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

from processor.errors import InvalidEventError
from processor.job import FIELDS, DeploymentSettings, Job
from tests.conftest import NOW
from tests.machine import MACHINE

DEPLOYED = DeploymentSettings.from_environment(
    {
        "CLOUDFRONT_DOMAIN": "files.example.com",
        "CLOUDFRONT_KEY_PAIR_ID": "K2JCJMDEHXQW5F",
        "JOBS_TABLE": "jobs",
        "STATE_MACHINE_ARN": MACHINE,
    },
    {},
)
VALUES: dict[str, list[Any]] = {
    "prefix": ["", "in/{yyyy}/{{b}}/"],
    "suffix": ["", [".TXT", ".pdf"]],
    "expiry_seconds": ["P1DT12H", "30d"],
    "page_size": ["7"],
    "concurrency": [1, 16],
    "chains": [3],
    "compression": ["gzip"],
    "manifest_bucket": ["lists"],
    "manifest_prefix": ["in/lists/"],
    "manifest_key": ["manifests/latest.jsonl"],
    "archived": ["fail"],
    "probe": [True],
    "page": [True],
    "page_title": ["Reports <of> April"],
    "page_contact": ["ann@example.com"],
    "time": ["2026-04-01T08:30:00+02:00"],
    "cursor": ["token"],
    "start_after": ["in/a"],
    "end_at": ["in/z"],
    "force": [True],
    "task_id": ["7"],
    "disposition": ["inline"],
    "filename": ["{n}-{name}", "{{b}}.pdf"],
    "content_type": ["application/pdf"],
    "cache_control": ["no-store"],
    "fields": [["etag", "size"]],
    "include": ["a,b*", ["[a-c]*", "x"]],
    "exclude": ["*.tmp"],
    "modified_since": ["last", "P1D"],
    "modified_before": ["2026-03-01", "12h"],
    "min_size": ["10"],
    "max_size": [9, 10],
    "storage_classes": [["GLACIER", "STANDARD"]],
    "prefixes": [["b/{{x}}/", "a/"], "c/{yyyy}/"],
    "keys_from": ["s3://reports/keys.csv"],
    "refresh": ["s3://reports/old.jsonl"],
    "version_ids": [True],
    "signer": ["cloudfront"],
    "policy": ["prefix"],
    "ip_range": ["192.0.2.7"],
    "starts_at": ["2026-04-01T06:40:00Z"],
}
SOURCES = ("prefix", "prefixes", "keys_from", "refresh")
REFUSED = {
    *combinations(SOURCES, 2),
    *((name, source) for source in SOURCES[1:] for name in ("chains", "cursor")),
    *((name, source) for source in SOURCES[2:] for name in ("start_after", "end_at")),
    ("chains", "cursor"),
    ("cursor", "version_ids"),
    ("manifest_prefix", "manifest_key"),  # the one is not under the other
}
CONTRADICTIONS: list[dict[str, Any]] = [
    {"manifest_key": "manifests/latest.jsonl", "prefixes": "c/{yyyy}/"},
    {"modified_since": "P1D", "modified_before": "2026-03-01"},
    {"min_size": "10", "max_size": 9},
]
NEEDS: list[tuple[str, Any, dict[str, Any]]] = [
    ("filename", "{n}-{name}", {"concurrency": 1}),
    ("expiry_seconds", "30d", {"signer": "cloudfront"}),
    ("ip_range", "192.0.2.7", {"signer": "cloudfront"}),
    ("starts_at", "2026-04-01T06:40:00Z", {"signer": "cloudfront"}),
    ("policy", "prefix", {"signer": "cloudfront", "prefix": "in/"}),
]
ALONE = [(name, value) for name, values in VALUES.items() for value in values]
PAIRS = [dict(pair) for pair in combinations(ALONE, 2) if pair[0][0] != pair[1][0]]


def job_of(event: dict[str, Any], row: dict[str, Any] | None = None, variables: dict[str, str] | None = None) -> Job:
    """Return the job of an event, as it crosses the wire."""
    written = json.loads(json.dumps({"bucket": "reports", **event}))
    return Job.from_event(written, config=row or {}, environment=variables or {}, deployment=DEPLOYED, now=NOW)


def refused(event: dict[str, Any]) -> str | None:
    """Return the field for which an event is refused."""
    try:
        job_of(event)
    except InvalidEventError as error:
        return error.field
    return None


def in_a_variable(value: object) -> str:
    """Return a value as an environment variable has it, where a comma separates the items of a list."""
    if isinstance(value, str):
        return json.dumps([value]) if "," in value else value
    return json.dumps(value)


def is_allowed(event: dict[str, Any]) -> bool:
    """Return whether the reference allows a pair."""
    lacks = any(event.get(name) == value and not needed.items() <= event.items() for name, value, needed in NEEDS)
    return tuple(event) not in REFUSED and event not in CONTRADICTIONS and not lacks


def test_the_pairs_cover_every_field() -> None:
    """``bucket`` is in each event, and ``fresh`` in no payload."""
    assert {*VALUES, "bucket", "fresh"} == set(FIELDS)


def test_two_fields_are_refused_exactly_where_the_reference_says_so() -> None:
    """The refusal names one of the two, not a field that the caller never wrote."""
    for event in PAIRS:
        field = refused(event)
        assert (field is None) is is_allowed(event), (event, field)
        assert field is None or field in event, (event, field)


def test_a_job_is_the_same_in_its_payload_and_in_the_event_made_from_it() -> None:
    """A sibling, and ``resume`` of a job lost before its first checkpoint, keep all of its fields."""
    jobs = [job_of(event) for event in PAIRS if is_allowed(event)]
    for job in jobs:
        assert Job.from_payload(json.loads(json.dumps(job.to_payload())), DEPLOYED) == job
        assert job_of(job.to_event()) == job
    assert len({job.job_key for job in jobs}) > len(jobs) // 3


def test_the_same_values_in_the_deployment_make_the_same_job() -> None:
    """In its row or its variables, where lists are JSON; a list of keys takes its ending from the event alone."""
    for event in PAIRS:
        if not is_allowed(event) or tuple(event) in {("suffix", "keys_from"), ("suffix", "refresh")}:
            continue
        row = {name: value for name, value in event.items() if FIELDS[name].env is not None}
        rest = {name: value for name, value in event.items() if name not in row}
        variables = {str(FIELDS[name].env): in_a_variable(value) for name, value in row.items()}
        assert job_of(rest, row) == job_of(rest, variables=variables) == job_of(event), event
