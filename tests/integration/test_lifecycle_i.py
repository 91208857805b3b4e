"""Our lifecycle rules are added to a bucket of another owner: no rule there is lost or changed."""

from __future__ import annotations

import json
import shlex
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from presign_siblings.deploy import bucket_rules, lifecycle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PARAMETERS = {"BucketName": "reports", "ManifestBucket": "", "ManifestPrefix": "manifests/", "CreateBucket": "false"}
PARAMETERS |= {"MaxJobSeconds": "86400", "ManifestKey": "manifests/latest.jsonl", "ManifestExpiryDays": "8"}
OURS = bucket_rules.of_template(PARAMETERS)
THEIRS: list[dict[str, Any]] = [
    {"ID": "to-glacier", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 3650}},
    {"ID": "tagged", "Status": "Enabled", "Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 1}},
]


def _put(s3: S3Client, bucket: str, *rules: dict[str, Any]) -> None:
    configuration: Any = {"Rules": list(rules)}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=configuration)


def _rules(s3: S3Client, bucket: str) -> dict[str, Any]:
    return {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}


def test_a_bucket_without_rules_gets_the_templates_rules(s3: S3Client, bucket: str) -> None:
    """The stack's own bucket has the same."""
    added = lifecycle.put(s3, bucket, OURS)
    assert added == ["manifests-expire", "checkpoints-expire", "unfinished-uploads-abort", "old-versions-expire"]
    rules = _rules(s3, bucket)
    assert rules["manifests-expire"]["Expiration"] == {"Days": 8}
    assert rules["manifests-expire"]["Filter"] == {"Prefix": "manifests/"}
    assert rules["old-versions-expire"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert rules["old-versions-expire"]["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    assert rules["unfinished-uploads-abort"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}


def test_existing_rules_stay_as_they_are(s3: S3Client, bucket: str) -> None:
    """S3 replaces the whole configuration at each put, so they are put again with ours."""
    _put(s3, bucket, *THEIRS)
    before = _rules(s3, bucket)
    assert len(lifecycle.put(s3, bucket, OURS)) == 4
    after = _rules(s3, bucket)
    assert {name: after[name] for name in before} == before
    assert len(after) == 6
    assert lifecycle.put(s3, bucket, OURS) == [], "rules were added twice"
    assert _rules(s3, bucket) == after


def test_a_second_deployment_in_the_bucket_gets_rules_of_its_own(s3: S3Client, bucket: str) -> None:
    """Under another prefix; the first deployment's rules have the same names, and do nothing for it."""
    lifecycle.put(s3, bucket, OURS)
    second = bucket_rules.of_template({"ManifestPrefix": "invoices/"})
    assert len(lifecycle.put(s3, bucket, second)) == len(OURS) == 4
    assert lifecycle.put(s3, bucket, second) == lifecycle.put(s3, bucket, OURS) == []
    assert _rules(s3, bucket)["manifests-expire invoices/"]["Filter"] == {"Prefix": "invoices/"}
    assert _rules(s3, bucket)["manifests-expire"]["Filter"] == {"Prefix": "manifests/"}


def test_deployments_with_long_similar_prefixes_get_rules_of_their_own(s3: S3Client, bucket: str) -> None:
    """Rule names were cut at 255 characters, and the last deployment's manifests stayed for ever."""
    lifecycle.put(s3, bucket, OURS)
    for prefix in (f"{'x' * 250}/invoices/", f"{'x' * 250}/reports/"):
        rules = bucket_rules.of_template({"ManifestPrefix": prefix})
        assert len(lifecycle.put(s3, bucket, rules)) == 4
    assert max(map(len, _rules(s3, bucket))) <= bucket_rules.MOST_ID


@pytest.mark.parametrize("status", ["Enabled", "Disabled"])
def test_an_existing_rule_of_the_same_name_is_kept(s3: S3Client, bucket: str, status: str) -> None:
    """Longer than ours, or switched off: it is a decision of the bucket's owner."""
    own = {"ID": "manifests-expire", "Status": status, "Filter": {"Prefix": "manifests/"}, "Expiration": {"Days": 99}}
    _put(s3, bucket, own)
    assert lifecycle.put(s3, bucket, OURS) == ["checkpoints-expire", "unfinished-uploads-abort", "old-versions-expire"]
    assert _rules(s3, bucket)["manifests-expire"]["Expiration"] == {"Days": 99}
    assert _rules(s3, bucket)["manifests-expire"]["Status"] == status


@pytest.mark.parametrize(
    ("rule", "covered"),
    [
        ({"Filter": {"Prefix": ""}, "Status": "Enabled"}, True),
        ({"Filter": {"Prefix": "mani"}, "Status": "Enabled"}, True),
        ({"Filter": {}, "Status": "Enabled"}, True),
        ({"Prefix": "", "Status": "Enabled"}, True),
        ({"Filter": {"Prefix": "manifests/x/"}, "Status": "Enabled"}, False),
        ({"Filter": {"Prefix": ""}, "Status": "Disabled"}, False),
        ({"Filter": {"And": {"Prefix": "", "Tags": [{"Key": "a", "Value": "b"}]}}, "Status": "Enabled"}, False),
        ({"Filter": {"ObjectSizeGreaterThan": 1}, "Status": "Enabled"}, False),
    ],
)
def test_a_rule_that_does_as_much_for_each_key_is_enough(rule: dict[str, Any], *, covered: bool) -> None:
    """One for the whole bucket, or for a prefix around ours; not one that leaves some keys out."""
    theirs = {"ID": "x", **rule, bucket_rules.ABORT: {"DaysAfterInitiation": 2}}
    added = {each["ID"] for each in bucket_rules.merged([theirs], OURS)[1:]}
    assert ("unfinished-uploads-abort" not in added) == covered


@pytest.mark.parametrize(("days", "enough"), [(1, True), (2, True), (3, False)])
def test_a_rule_that_acts_later_is_not_enough(days: int, *, enough: bool) -> None:
    """Parts cost money until then."""
    theirs = {"ID": "x", "Status": "Enabled", "Filter": {}, bucket_rules.ABORT: {"DaysAfterInitiation": days}}
    assert (len(bucket_rules.merged([theirs], OURS)) == 4) == enough


@pytest.mark.parametrize(
    ("rule", "enough"),
    [
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 1}, "Expiration": {"Days": 3}}, True),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}, False),  # lone markers stay
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 30}, "Expiration": {"Days": 3}}, False),
        (
            {
                "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2},
                "Expiration": {"Days": 3},
            },
            False,
        ),
    ],
)
def test_a_rule_for_old_versions_is_enough_only_if_it_keeps_none(rule: dict[str, Any], *, enough: bool) -> None:
    """Versions that a rule keeps hold live links for ever."""
    theirs = {"ID": "x", "Status": "Enabled", "Filter": {}, **rule}
    added = {each["ID"] for each in bucket_rules.merged([theirs], OURS)[1:]}
    assert ("old-versions-expire" not in added) == enough


def test_a_versioned_bucket_is_named_until_it_has_the_rule(s3: S3Client, bucket: str) -> None:
    """Its expired manifests stay as noncurrent versions."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    mine = PARAMETERS | {"BucketName": bucket}
    assert any("keeps versions" in line for line in lifecycle.looked_after(s3, mine, merge=False))
    assert not any("keeps versions" in line for line in lifecycle.looked_after(s3, mine, merge=True))


def test_a_bucket_with_object_lock_is_named_whatever_its_rules(s3: S3Client) -> None:
    """No rule removes a retained version."""
    name = f"autotest-{uuid.uuid4().hex}"
    place: Any = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True)
    lines = list(lifecycle.looked_after(s3, PARAMETERS | {"BucketName": name}, merge=True))
    assert any("Object Lock" in line for line in lines)


def test_rules_with_a_prefix_are_rewritten_with_a_filter() -> None:
    """S3 refuses a configuration that mixes both forms; they mean the same."""
    first = {"ID": "x", "Status": "Enabled", "Prefix": "old/", "Expiration": {"Days": 3}}
    rule = bucket_rules.merged([first], OURS)[0]
    assert rule == {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": "old/"}, "Expiration": {"Days": 3}}


@pytest.mark.parametrize(
    ("key", "is_ours"),
    [
        ("manifests/0123456789abcdef-0123456789abcdef.jsonl", True),
        ("manifests/0123456789abcdef-0123456789abcdef.jsonl.gz", True),
        ("manifests/0123456789abcdef-0123456789abcdef.html", True),
        ("manifests/daily/0123456789abcdef-0123456789abcdef.jsonl", True),
        ("manifests/.checkpoints/j/000001-x", True),
        ("manifests/.keymaps/x.json", True),
        ("manifests/latest.jsonl", True),
        ("manifests/", True),
        ("manifests/2019/contract.pdf", False),
        ("manifests/.checkpointsX", False),
    ],
)
def test_no_rule_of_ours_deletes_an_object_that_the_function_has_not_written(
    s3: S3Client, bucket: str, key: str, *, is_ours: bool
) -> None:
    """--merge-lifecycle had each object under the prefix deleted after eight days, also those of others."""
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    lines = list(lifecycle.looked_after(s3, {**PARAMETERS, "BucketName": bucket}, merge=True))
    assert (f"s3://{bucket}/{key} does not have the name of a manifest" in lines[0]) is not is_ours
    assert (lifecycle.missing(s3, bucket, OURS) == []) is is_ours
    if not is_ours:
        assert "aws s3api put-bucket-lifecycle-configuration" in lines[1], "the command is not shown"
        lifecycle.put(s3, bucket, OURS)
        assert not any(
            "does not have the name of a manifest" in line
            for line in lifecycle.looked_after(s3, {**PARAMETERS, "BucketName": bucket}, merge=True)
        )


def test_an_object_of_others_is_found_after_a_thousand_checkpoints(s3: S3Client, bucket: str) -> None:
    """Checkpoints come first in a listing; the rule was added, and the object deleted after eight days."""
    for number in range(1001):
        s3.put_object(Bucket=bucket, Key=f"manifests/.checkpoints/j/{number:06}-x", Body=b"")
    s3.put_object(Bucket=bucket, Key="manifests/2019/contract.pdf", Body=b"x")
    warning, *_ = lifecycle.looked_after(s3, {**PARAMETERS, "BucketName": bucket}, merge=True)
    assert f"s3://{bucket}/manifests/2019/contract.pdf does not have the name of a manifest" in warning
    assert lifecycle.missing(s3, bucket, OURS)


def test_the_printed_command_adds_the_same_rules(s3: S3Client, bucket: str) -> None:
    """For an operator who wants to read it first, or may not change the bucket."""
    _put(s3, bucket, *THEIRS)
    command = lifecycle.command(s3, bucket, OURS)
    assert command is not None
    words = shlex.split(command)
    assert words[:5] == ["aws", "s3api", "put-bucket-lifecycle-configuration", "--bucket", bucket]
    written = json.loads(words[words.index("--lifecycle-configuration") + 1])["Rules"]
    assert written == bucket_rules.merged(lifecycle.present(s3, bucket)[0], OURS)
    lifecycle.put(s3, bucket, OURS)
    assert lifecycle.command(s3, bucket, OURS) is None


def test_the_rest_of_the_lifecycle_configuration_is_put_back(s3: S3Client) -> None:
    """Without it the minimum size of a transition falls back to S3's default; moto has none, so it is scripted."""
    beside = {lifecycle.TRANSITION: "varies_by_storage_class"}
    with Stubber(s3) as stubber:
        stubber.add_response("get_bucket_lifecycle_configuration", {"Rules": [], **beside}, {"Bucket": "reports"})
        expected = {"Bucket": "reports", "LifecycleConfiguration": {"Rules": OURS}, **beside}
        stubber.add_response("put_bucket_lifecycle_configuration", beside, expected)
        assert len(lifecycle.put(s3, "reports", OURS)) == 4
        stubber.assert_no_pending_responses()


def test_rules_that_cannot_be_read_are_never_put(s3: S3Client) -> None:
    """Rules that cannot be put back must not be replaced; the deployment continues with a note."""
    with Stubber(s3) as stubber:
        stubber.add_client_error("get_bucket_lifecycle_configuration", "AccessDenied")
        with pytest.raises(ClientError, match="AccessDenied"):
            lifecycle.put(s3, "reports", OURS)
        for _ in range(2):
            stubber.add_client_error("get_bucket_lifecycle_configuration", "AccessDenied")
        for merge in (True, False):
            (line,) = lifecycle.looked_after(s3, PARAMETERS, merge=merge)
            assert line == "note: the lifecycle rules of s3://reports are left as they are: AccessDenied"


@pytest.mark.parametrize(
    ("rule", "warned"),
    [
        ({"Filter": {}, bucket_rules.ABORT: {"DaysAfterInitiation": 1}}, True),
        ({"Filter": {"Prefix": "manifests/a/"}, bucket_rules.ABORT: {"DaysAfterInitiation": 1}}, True),
        ({"Filter": {"Prefix": "other/"}, bucket_rules.ABORT: {"DaysAfterInitiation": 1}}, False),
        ({"Filter": {}, bucket_rules.ABORT: {"DaysAfterInitiation": 2}}, False),
        ({"Filter": {}, "Expiration": {"Days": 1}}, False),
    ],
)
def test_a_rule_that_would_cut_a_job_short_is_named(
    s3: S3Client, bucket: str, rule: dict[str, Any], *, warned: bool
) -> None:
    """A job may take a day: S3 would abort its upload before its end."""
    _put(s3, bucket, {"ID": "hasty", "Status": "Enabled", **rule})
    lines = list(lifecycle.looked_after(s3, {**PARAMETERS, "BucketName": bucket}, merge=False))
    assert any("rule hasty" in line for line in lines) == warned


def test_a_bucket_of_the_stack_is_left_alone(s3: S3Client) -> None:
    """CloudFormation keeps its rules."""
    assert list(lifecycle.looked_after(s3, {**PARAMETERS, "CreateBucket": "true"}, merge=True)) == []
