"""What a deployment refuses before it changes anything, and the place of a long template."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from presign_siblings.deploy import deploy, template
from presign_siblings.deploy.parameters import check, defaults
from presign_siblings.deploy.stacks import DeployError

PDFS = {"BucketName": "pdfs", "ReservedConcurrency": "5"}
CLOUDFRONT = {
    "Signer": "cloudfront",
    "CloudFrontDomain": "files.example.com",
    "CloudFrontKeyPairId": "K2JCJMDEHXQW5F",
    "CloudFrontSecret": "cloudfront-key",
}


def planned(**given: str) -> dict[str, str]:
    """Return the parameters of a stack, with these."""
    return {**defaults(), **PDFS, **given}


class NoStack:
    """A CloudFormation client of an account without the stack; any other request fails the test."""

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        return {"Stacks": [{"StackStatus": "REVIEW_IN_PROGRESS"}]}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"Chains": "4", "ReservedConcurrency": "3"}, "ReservedConcurrency"),
        ({"Chains": "4", "ReservedConcurrency": "4"}, "ReservedConcurrency"),
        ({"Chains": "2", "CreateStateMachine": "false"}, "CreateStateMachine"),
    ],
)
def test_more_chains_than_the_stack_can_carry_are_refused(parameters: dict[str, str], named: str) -> None:
    """By name, and before a change set is made."""
    with pytest.raises(DeployError, match=f"Chains is .*{named}"):
        deploy.deploy(cast("Any", NoStack()), cast("Any", None), "stack", {**PDFS, **parameters})


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"RefreshHours": "12"}, "UrlExpirySeconds is 43200"),
        ({"RefreshHours": "6", "UrlExpirySeconds": "6h"}, "UrlExpirySeconds is 6h"),
        ({"RefreshHours": "6", "ManifestKey": ""}, "ManifestKey"),
        ({"RefreshHours": "6", "Policy": "prefix", "Prefix": "inbox/", **CLOUDFRONT}, "Policy"),
    ],
)
def test_a_refresh_that_leaves_dead_links_is_refused(parameters: dict[str, str], named: str) -> None:
    """It would come after the links at the stable key have expired, or never, without any notice."""
    given = {**PDFS, "ManifestKey": "manifests/latest.jsonl", **parameters}
    with pytest.raises(DeployError, match=f"RefreshHours is .*{named}"):
        deploy.deploy(cast("Any", NoStack()), cast("Any", None), "stack", given)
    fine = {"RefreshHours": "5", "ManifestKey": "manifests/latest.jsonl", "Policy": "canned"}
    check({**defaults(), **given, **fine})


def test_more_environment_than_lambda_takes_is_refused() -> None:
    """CloudFormation reports it after minutes, and rolls back."""
    many = ",".join(f"inbox/customers/{number:04}/" for number in range(200))
    with pytest.raises(DeployError, match=r"environment has 5,\d\d\d bytes, of which PREFIXES takes the most"):
        check(planned(Prefixes=many))
    check(planned(Prefixes=many[:2200], KeysPlace="lists/inbox/"))


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({"Prefix": "reports/2026/"}, False),
        ({"Prefix": "reports/{yyyy}/"}, False),
        ({"Prefix": "inbox/", "AllowedPrefix": "reports/"}, False),
        ({"Prefix": "reports/2026/", "ManifestBucket": "pdfs"}, False),
        ({"Prefix": "reports/2026/", "ManifestBucket": "manifests"}, True),
        ({"Prefix": ""}, True),
    ],
)
def test_pdfs_among_the_manifests_are_refused(given: dict[str, str], *, fits: bool) -> None:
    """No job lists them, and the lifecycle rule for manifests deleted them after eight days."""
    parameters = planned(ManifestPrefix="reports/", **given)
    if fits:
        check(parameters)
        return
    with pytest.raises(DeployError, match="under the ManifestPrefix reports/ of the same bucket"):
        check(parameters)


@pytest.mark.parametrize(("prefix", "proposed"), [("reports/{yyyy}/{mm}/", "reports/"), ("{yyyy}/", "2")])
def test_a_date_without_an_allowed_prefix_is_refused(prefix: str, proposed: str) -> None:
    """The role would read under the braces themselves, and the function would refuse each job of its schedule."""
    with pytest.raises(DeployError, match=f"it needs AllowedPrefix, such as {proposed}$"):
        check(planned(Prefix=prefix))
    check(planned(Prefix=prefix, AllowedPrefix=proposed))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Signer": "cloudfront"}, "Signer is 'cloudfront': it needs CloudFrontDomain, CloudFrontKeyPairId and"),
        ({**CLOUDFRONT, "CloudFrontKeyPairId": ""}, "CloudFrontKeyPairId is '': it must be the id of the public key"),
        ({**CLOUDFRONT, "CloudFrontSecret": ""}, "CloudFrontSecret is '': it must name the secret"),
        ({"Include": "**/*.pdf"}, "Include is '**/*.pdf': it must not contain **/"),
        ({"Exclude": "*"}, "Exclude is '*': it must not leave out every key"),
        ({"ModifiedSince": "yesterday"}, "ModifiedSince is 'yesterday': it must be an ISO 8601 time"),
        ({"ModifiedSince": "1d", "ModifiedBefore": "2d"}, "ModifiedBefore is '2d': it must be at least ModifiedSince"),
        ({"MinSize": "1 MB"}, "MinSize is '1 MB': it must be an integer from 0"),
        ({"StorageClasses": "COLD"}, "StorageClasses is 'COLD': it must be one of STANDARD, STANDARD_IA,"),
        ({"Filename": "{n}.pdf"}, "Filename is '{n}.pdf': it may hold {n} only with concurrency 1"),
        ({"Prefix": "{yyy}/", "AllowedPrefix": "2"}, "Prefix is '{yyy}/': it may hold {yyyy}"),
        ({"Prefix": "old/", "AllowedPrefix": "inbox/"}, "Prefix is 'old/': it must be under one of AllowedPrefix"),
        ({"AllowedPrefix": "inbox/"}, "Prefix is '': it must be under one of AllowedPrefix"),
        ({"KeysFrom": "s3://lists/k"}, "KeysFrom is 's3://lists/k': it must be in one of BucketName, ManifestBucket, "),
        ({"ManifestKey": "latest.jsonl"}, "ManifestKey is 'latest.jsonl': it must be under ManifestPrefix, manifests/"),
        ({"IpRange": "192.0.2.7"}, "IpRange is '192.0.2.7': it needs signer cloudfront"),
        ({"UrlEndpoint": "files.example.com"}, "UrlEndpoint is 'files.example.com': it must be written as http"),
        ({"UrlExpirySeconds": "30d"}, "UrlExpirySeconds is '30d': it must be 1 to 604800 seconds"),
        ({"ShutdownPeriod": "0"}, "ShutdownPeriod is '0': it must be a number of seconds from 0.001"),
        ({"MaxHops": "200000"}, "MaxHops is '200000': it must be an integer from 1 to 100000"),
    ],
)
def test_parameters_of_which_each_job_would_be_refused_are_refused(given: dict[str, str], message: str) -> None:
    """By the function's own rules, in the template's words; only the alarm of the first night reported them."""
    with pytest.raises(DeployError) as refused:
        check(planned(**given))
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize("given", [{"ScheduleState": "DISABLED"}, {"SoswConfig": "dynamodb"}])
def test_a_prefix_that_only_events_or_the_config_row_name_may_be_empty(given: dict[str, str]) -> None:
    """No job starts without them."""
    check(planned(AllowedPrefix="inbox/", **given))
    check(planned(**CLOUDFRONT, Policy="prefix", **given))


def test_a_refusal_names_the_parameter_that_helps() -> None:
    """The advice was another BucketName: the manifests lie in that bucket as long as ManifestBucket is empty."""
    with pytest.raises(DeployError, match=r"choose another prefix or ManifestBucket$"):
        check(planned(**CLOUDFRONT, Policy="prefix"))
    with pytest.raises(DeployError, match=r"name another ManifestPrefix or ManifestBucket$"):
        check(planned(Prefixes="manifests/old/"))


@pytest.mark.parametrize(
    "given",
    [
        {**CLOUDFRONT, "UrlExpirySeconds": "30d", "IpRange": "192.0.2.0/24"},
        {"Include": "a*,b*", "Exclude": "*.tmp", "ModifiedSince": "last", "MaxSize": "0", "Fields": "size,etag"},
        {"KeysFrom": "s3://lists/today.csv", "KeysPlace": "lists/"},
        {"AccessPointArn": "arn:aws:s3:eu-west-1:000000000000:accesspoint/point", "Prefix": "inbox/"},
    ],
)
def test_parameters_of_which_jobs_can_be_made_pass(given: dict[str, str]) -> None:
    """The check reads them as the function will."""
    check(planned(**given))


@pytest.mark.parametrize(
    ("schedule", "fits"),
    [
        ("rate(1 day)", True),
        ("rate(12 hours)", True),
        ("cron(0 3 * * ? *)", True),
        ("rate(1 days)", False),
        ("rate(12 hour)", False),
        ("rate(0 days)", False),
        ("at(2026-04-01T03:00:00)", False),
    ],
)
def test_a_schedule_that_no_rule_takes_is_refused(schedule: str, *, fits: bool) -> None:
    """EventBridge refused it after minutes, and the stack rolled back."""
    if fits:
        check(planned(ScheduleExpression=schedule))
    else:
        with pytest.raises(DeployError, match=r"^ScheduleExpression is .*: a rule takes cron"):
            check(planned(ScheduleExpression=schedule))
    check(planned(ScheduleExpression=schedule, ScheduleEngine="scheduler"))


def test_subnets_without_a_security_group_are_refused() -> None:
    """Lambda refuses them, minutes later."""
    given = {**PDFS, "SubnetIds": "subnet-1,subnet-2"}
    with pytest.raises(DeployError, match=r"SubnetIds is subnet-1,subnet-2: it needs SecurityGroupIds"):
        deploy.deploy(cast("Any", NoStack()), cast("Any", None), "stack", given)
    check({**defaults(), **given, "SecurityGroupIds": "sg-1"})


def test_a_template_too_long_for_a_request_is_put_next_to_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the digest of its content, so no deployment uses another's."""
    put: list[dict[str, Any]] = []
    s3 = SimpleNamespace(
        meta=SimpleNamespace(endpoint_url="https://s3.eu-west-1.amazonaws.com"),
        put_object=lambda **asked: put.append(asked),
        exceptions=SimpleNamespace(NoSuchBucket=KeyError),
    )
    url = deploy.upload_template(cast("Any", s3), "code")
    (stored,) = put
    assert url == f"https://s3.eu-west-1.amazonaws.com/code/{stored['Key']}"
    assert stored["Body"] == template.TEMPLATE.read_bytes()
    monkeypatch.setattr(deploy, "MOST_INLINE", len(stored["Body"]))
    assert deploy.upload_template(cast("Any", s3), "code") is None
    assert len(put) == 1
