"""What a deployment refuses before it changes anything, and the place of a long template."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from presign_siblings.deploy import deploy, template
from presign_siblings.deploy.parameters import check, defaults
from presign_siblings.deploy.stacks import DeployError


class NoStack:
    """A CloudFormation client of an account without the stack; any other request fails the test."""

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        return {"Stacks": [{"StackStatus": "REVIEW_IN_PROGRESS"}]}


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"Chains": "4"}, "ReservedConcurrency"),
        ({"Chains": "4", "ReservedConcurrency": "4"}, "ReservedConcurrency"),
        ({"Chains": "2", "CreateStateMachine": "false"}, "CreateStateMachine"),
    ],
)
def test_more_chains_than_the_stack_can_carry_are_refused(parameters: dict[str, str], named: str) -> None:
    """By name, and before a change set is made."""
    given = {"ReservedConcurrency": "5", **({"ReservedConcurrency": "3"} if parameters == {"Chains": "4"} else {})}
    with pytest.raises(DeployError, match=named):
        deploy.deploy(cast("Any", NoStack()), cast("Any", None), "stack", {**given, **parameters})


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"RefreshHours": "12"}, "UrlExpirySeconds is 43200"),
        ({"RefreshHours": "6", "UrlExpirySeconds": "6h"}, "UrlExpirySeconds is 6h"),
        ({"RefreshHours": "6", "ManifestKey": ""}, "ManifestKey"),
        ({"RefreshHours": "6", "Policy": "prefix"}, "Policy"),
    ],
)
def test_a_refresh_that_leaves_dead_links_is_refused(parameters: dict[str, str], named: str) -> None:
    """It would come after the links at the stable key have expired, or never, without any notice."""
    given = {"ReservedConcurrency": "5", "ManifestKey": "manifests/latest.jsonl", **parameters}
    with pytest.raises(DeployError, match=f"RefreshHours is .*{named}"):
        deploy.deploy(cast("Any", NoStack()), cast("Any", None), "stack", given)
    fine = {"RefreshHours": "5", "ManifestKey": "manifests/latest.jsonl", "Policy": "canned"}
    check({**defaults(), **given, **fine})


def test_more_environment_than_lambda_takes_is_refused() -> None:
    """CloudFormation reports it after minutes, and rolls back."""
    many = ",".join(f"inbox/customers/{number:04}/" for number in range(200))
    with pytest.raises(DeployError, match=r"environment has 5,\d\d\d bytes, of which PREFIXES takes the most"):
        check({**defaults(), "Prefixes": many})
    check({**defaults(), "Prefixes": many[:2500], "KeysPlace": "lists/inbox/"})


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
    parameters = {**defaults(), "BucketName": "pdfs", "ManifestPrefix": "reports/", **given}
    if fits:
        check(parameters)
        return
    with pytest.raises(DeployError, match="under the ManifestPrefix reports/ of the same bucket"):
        check(parameters)


@pytest.mark.parametrize(("prefix", "proposed"), [("reports/{yyyy}/{mm}/", "reports/"), ("{yyyy}/", "2")])
def test_a_date_without_an_allowed_prefix_is_refused(prefix: str, proposed: str) -> None:
    """The role would read under the braces themselves, and the function would refuse each job of its schedule."""
    with pytest.raises(DeployError, match=f"it needs AllowedPrefix, such as {proposed}$"):
        check({**defaults(), "Prefix": prefix})
    check({**defaults(), "Prefix": prefix, "AllowedPrefix": proposed})


def test_subnets_without_a_security_group_are_refused() -> None:
    """Lambda refuses them, minutes later."""
    given = {"ReservedConcurrency": "5", "SubnetIds": "subnet-1,subnet-2"}
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
