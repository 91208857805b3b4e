"""What a job may ask of CloudFront's links, and what the deployment must know for it."""

from __future__ import annotations

from typing import Any

import pytest

from processor.errors import InvalidEventError
from processor.job import DeploymentSettings, DistributionSettings, Job
from tests.conftest import NOW

VARIABLES = {
    "CLOUDFRONT_DOMAIN": "files.example.com",
    "CLOUDFRONT_KEY_PAIR_ID": "K2JCJMDEHXQW5F",
    "CLOUDFRONT_SECRET": "cloudfront",
}


def job_of(variables: dict[str, str] = VARIABLES, environment: dict[str, str] | None = None, **fields: Any) -> Job:
    """Return a job of a deployment with a distribution."""
    deployment = DeploymentSettings.from_environment(variables, {})
    event = {"bucket": "reports", "prefix": "2026/", **fields}
    return Job.from_event(event, config={}, environment=environment or {}, deployment=deployment, now=NOW)


def test_a_job_signed_for_cloudfront_may_live_longer_and_is_another_job() -> None:
    """Each of its fields makes another manifest, and reaches the siblings unchanged."""
    fields: list[dict[str, Any]] = [
        {},
        {"policy": "prefix"},
        {"ip_range": "192.0.2.7"},
        {"starts_at": "2026-04-01T06:40:00Z"},
        {"expiry_seconds": "30d"},
    ]
    jobs = [job_of(signer="cloudfront", **each) for each in fields]
    assert len({job_of().job_key, *(job.job_key for job in jobs)}) == len(fields) + 1
    assert jobs[2].ip_range == "192.0.2.7/32"
    deployment = DeploymentSettings.from_environment(VARIABLES, {})
    assert [Job.from_payload(job.to_payload(), deployment) for job in jobs] == jobs


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"expiry_seconds": 604_801}, "expiry_seconds", "1 to 604800 seconds"),
        ({"policy": "prefix"}, "policy", "needs signer cloudfront"),
        ({"ip_range": "192.0.2.0/24"}, "ip_range", "deployment sets it .IP_RANGE."),
        ({"starts_at": "2026-04-02"}, "starts_at", "deployment sets it .STARTS_AT."),
        ({"signer": "cloudfront", "ip_range": "192.0.2.1/24"}, "ip_range", "IPv4"),
        ({"signer": "cloudfront", "ip_range": "2001:db8::/32"}, "ip_range", "IPv4"),
        ({"signer": "cloudfront", "starts_at": "2026-04-02"}, "starts_at", "before the URLs expire"),
        ({"signer": "cloudfront", "policy": "prefix", "prefix": ""}, "policy", "manifests/"),
        ({"signer": "cloudfront", "policy": "prefix", "prefix": "man"}, "policy", "manifests/"),
        ({"signer": "cloudfront", "policy": "prefix", "prefix": None, "prefixes": ["a/"]}, "policy", "one prefix"),
        ({"signer": "somebody"}, "signer", "one of"),
    ],
)
def test_a_field_that_the_signer_cannot_serve_is_refused_with_the_rule(
    fields: dict[str, Any], field: str, rule: str
) -> None:
    """A policy for a prefix would also open the manifests under it."""
    with pytest.raises(InvalidEventError, match=rule) as refused:
        job_of(**fields)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "source", [{"refresh": "s3://reports/old.jsonl"}, {"keys_from": "s3://reports/keys"}, {"prefixes": ["a/", "b/"]}]
)
def test_the_deployments_prefix_policy_does_not_apply_to_an_event_with_another_source(source: dict[str, Any]) -> None:
    """With Policy=prefix and RefreshHours each refresh was refused, until the links at the stable key had expired."""
    around = {"SIGNER": "cloudfront", "POLICY": "prefix", "PREFIX": "in/"}
    assert job_of(environment=around).policy == "prefix"
    assert job_of(environment=around, prefix=None, **source).policy == "canned"
    with pytest.raises(InvalidEventError, match="needs one prefix"):
        job_of(environment=around, prefix=None, policy="prefix", **source)


def test_a_lifetime_that_is_too_long_is_refused_by_the_variable_that_sets_it() -> None:
    """The event may choose the other signer."""
    with pytest.raises(InvalidEventError, match="URL_EXPIRY_SECONDS"):
        job_of(environment={"URL_EXPIRY_SECONDS": "30d"})
    assert job_of(environment={"URL_EXPIRY_SECONDS": "30d"}, signer="cloudfront").expiry_seconds == 30 * 86_400


@pytest.mark.parametrize("written", [0, True, "soon"])
@pytest.mark.parametrize("signer", ["s3", "cloudfront"])
def test_what_is_no_lifetime_is_refused_with_the_limits_of_both_signers(signer: str, written: object) -> None:
    """The message offered ten years alone, and S3 refused those, too."""
    with pytest.raises(InvalidEventError, match="1 to 604800 seconds.*up to 315619200 with signer cloudfront"):
        job_of(expiry_seconds=written, signer=signer)


def test_a_job_signed_for_cloudfront_needs_a_distribution() -> None:
    """A distribution needs its key; one without an id is refused, as is a URL in place of a host."""
    with pytest.raises(InvalidEventError, match="CLOUDFRONT_DOMAIN"):
        job_of({}, signer="cloudfront")
    for name, value in {
        "CLOUDFRONT_KEY_PAIR_ID": "",
        "CLOUDFRONT_DOMAIN": "https://files.example.com",
        "CLOUDFRONT_HASH": "MD5",
    }.items():
        with pytest.raises(InvalidEventError, match=name):
            DistributionSettings.from_environment({**VARIABLES, name: value})
    with pytest.raises(InvalidEventError, match="^'CLOUDFRONT_KEY_PAIR_ID': '' is refused: must be the id of"):
        DistributionSettings.from_environment({"CLOUDFRONT_DOMAIN": "files.example.com"})


def test_links_that_cannot_work_yet_or_from_here_are_not_probed() -> None:
    """The result would mean nothing."""
    later = job_of(signer="cloudfront", starts_at="2026-04-01T06:40:00Z", probe=True)
    assert not later.can_be_tried(NOW)
    assert later.can_be_tried(later.starts_at or NOW)
    assert not job_of(signer="cloudfront", ip_range="192.0.2.7", probe=True).can_be_tried(NOW)
