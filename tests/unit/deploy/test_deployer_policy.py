"""The deployer's policy allows a deployment's own calls, and those that CloudFormation makes in its name."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.session import Session

from dev.checkout import REPOSITORY
from presign_siblings.deploy import template

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = json.loads((REPOSITORY / "docs" / "reference" / "deployer-policy.json").read_text(encoding="utf-8"))
ALLOWED = {action for each in POLICY["Statement"] for action in each["Action"]}
CLIENTS = {"s3": "s3", "cloudformation": "cloudformation", "functions": "lambda"}
# IAM's names that differ from the API's.
OTHERWISE = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
}
# The first call of CloudFormation for a resource of each type, from its registry.
CREATES = {
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
    "AWS::CloudWatch::Dashboard": "cloudwatch:PutDashboard",
    "AWS::DynamoDB::Table": "dynamodb:CreateTable",
    "AWS::Events::Rule": "events:PutRule",
    "AWS::IAM::Policy": "iam:PutRolePolicy",
    "AWS::IAM::Role": "iam:CreateRole",
    "AWS::Lambda::Alias": "lambda:CreateAlias",
    "AWS::Lambda::EventInvokeConfig": "lambda:PutFunctionEventInvokeConfig",
    "AWS::Lambda::EventSourceMapping": "lambda:CreateEventSourceMapping",
    "AWS::Lambda::Function": "lambda:CreateFunction",
    "AWS::Lambda::Permission": "lambda:AddPermission",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup",
    "AWS::S3::Bucket": "s3:CreateBucket",
    "AWS::S3::BucketPolicy": "s3:PutBucketPolicy",
    "AWS::SNS::Topic": "sns:CreateTopic",
    "AWS::SQS::Queue": "sqs:CreateQueue",
    "AWS::Scheduler::Schedule": "scheduler:CreateSchedule",
    "AWS::StepFunctions::StateMachine": "states:CreateStateMachine",
}
# Further calls, from its registry, for the properties that the template sets: to check, to change and to delete the
# resource, and to roll it back.
BESIDES = {
    "AWS::DynamoDB::Table": ("dynamodb:DescribeContributorInsights", "dynamodb:DescribeKinesisStreamingDestination"),
    "AWS::IAM::Role": (
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
    ),
    "AWS::Lambda::Function": (
        "ec2:DescribeNetworkInterfaces",
        "lambda:GetFunctionCodeSigningConfig",
        "lambda:GetRuntimeManagementConfig",
        "lambda:ListTags",
    ),
    "AWS::Logs::LogGroup": ("logs:AssociateKmsKey", "logs:DisassociateKmsKey"),
    "AWS::S3::Bucket": ("s3:DeleteBucket",),
    "AWS::S3::BucketPolicy": ("s3:DeleteBucketPolicy", "s3:GetBucketPolicy"),
    "AWS::SNS::Topic": ("sns:GetDataProtectionPolicy", "sns:ListTagsForResource", "sns:Unsubscribe"),
    "AWS::SQS::Queue": ("sqs:GetQueueUrl", "sqs:ListQueueTags"),
    "AWS::StepFunctions::StateMachine": ("states:ListTagsForResource",),
}


def operations(service: str) -> dict[str, str]:
    """Return the operations of a service by the names of boto3's methods."""
    return {xform_name(name): name for name in Session().get_service_model(service).operation_names}


def calls() -> Iterator[tuple[str, str]]:
    """Yield service and method of every call that the deployment makes itself."""
    paths = [*(REPOSITORY / "presign_siblings" / "deploy").glob("*.py")]
    paths += [REPOSITORY / "presign_siblings" / "cli" / f"{name}.py" for name in ("deploy", "rollback")]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner: Any = node.func.value
            service = CLIENTS.get(getattr(owner, "attr", getattr(owner, "id", "")))
            method = node.func.attr
            if method == "get_paginator" and isinstance(node.args[0], ast.Constant):
                method = str(node.args[0].value)
            if service is not None:
                yield service, method


def needed() -> set[str]:
    """Return IAM's names of the calls: a new call needs a new right."""
    known = {service: operations(service) for service in CLIENTS.values()}
    made = {f"{service}:{known[service][method]}" for service, method in calls() if method in known[service]}
    return {OTHERWISE.get(name, name) for name in made}


def test_every_call_of_the_deployment_is_allowed() -> None:
    """The calls are found in its source."""
    assert {"s3:PutObject", "lambda:PublishVersion", "cloudformation:CreateChangeSet"} <= needed()
    assert needed() - ALLOWED == set()


@pytest.mark.parametrize("bucket", ["BUCKET", "CODE_BUCKET", "MANIFEST_BUCKET"])
def test_every_bucket_may_be_checked(bucket: str) -> None:
    """--merge-lifecycle was refused on an existing bucket of manifests, so the manifests stayed for ever."""
    granted = [each["Action"] for each in POLICY["Statement"] if f"arn:aws:s3:::{bucket}" in each["Resource"]]
    looks = {action for action in needed() if action.startswith("s3:")} - {"s3:PutObject"}
    assert looks <= set().union(*granted)


def test_cloudformation_may_make_every_resource_of_the_template() -> None:
    """It acts with the caller's rights."""
    types = {each["Type"] for each in template.load()["Resources"].values()}
    assert types == CREATES.keys()
    assert {CREATES[each] for each in types} - ALLOWED == set()


def test_cloudformation_may_also_change_and_delete_its_resources() -> None:
    """A failed creation is rolled back: without these rights the stack can neither stay nor go."""
    assert BESIDES.keys() <= CREATES.keys()
    assert {action for each in BESIDES.values() for action in each} - ALLOWED == set()


def test_every_right_to_tag_comes_with_the_right_to_untag() -> None:
    """A change that is rolled back removes the tags that it has added."""
    tags = {action for action in ALLOWED if ":Tag" in action}
    assert {action.replace(":Tag", ":Untag") for action in tags} - ALLOWED == set()


def test_the_mapping_of_the_queue_may_be_tagged() -> None:
    """It gets the stack's tags too, and its ARN is not the function's."""
    tagged = [each["Resource"] for each in POLICY["Statement"] if "lambda:TagResource" in each["Action"]]
    assert "arn:aws:lambda:*:ACCOUNT:event-source-mapping:*" in tagged


def test_the_policy_names_only_the_roles_of_the_template() -> None:
    """A role of another name could be given any right, and passed on."""
    roles = (each["Properties"] for each in template.load()["Resources"].values() if each["Type"] == "AWS::IAM::Role")
    named, services = set[str](), set[str]()
    for each in roles:
        named.add(str(each["RoleName"]["Fn::Sub"]).replace("${NameUnderscored}", "presign_siblings"))
        services |= set(each["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"])
    of_roles = [each for each in POLICY["Statement"] if any(name.startswith("iam:") for name in each["Action"])]
    assert [{resource.rpartition("/")[2] for resource in each["Resource"]} for each in of_roles] == [named, named]
    (passing,) = (each for each in of_roles if "iam:PassRole" in each["Action"])
    assert set(passing["Condition"]["StringEquals"]["iam:PassedToService"]) == services


@pytest.mark.parametrize("statement", POLICY["Statement"], ids=lambda each: each["Sid"])
def test_only_actions_without_resource_names_are_allowed_on_all_resources(statement: dict[str, Any]) -> None:
    """Sorted, each once, no action with a wildcard."""
    actions = statement["Action"]
    assert actions == sorted(set(actions))
    assert not [action for action in actions if "*" in action]
    assert (statement["Resource"] == "*" and "Condition" not in statement) is (statement["Sid"] == "WhatKnowsNoName")


def test_no_action_that_changes_resources_is_allowed_on_all_of_them() -> None:
    """A deployer of this stack could delete every alarm, dashboard and queue mapping of the account."""
    (everywhere,) = (each["Action"] for each in POLICY["Statement"] if each["Sid"] == "WhatKnowsNoName")
    assert [each for each in everywhere if ":Get" not in each and ":Describe" not in each] == ["sns:Unsubscribe"]
