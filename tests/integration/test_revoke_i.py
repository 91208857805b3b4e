"""A manifest has leaked: one command kills its links."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from presign_siblings.errors import NotFoundError
from presign_siblings.remote.function import Deployed
from presign_siblings.remote.revoke import POLICY, SigningKey, SigningRole, revoke, signer_of

NOW = datetime(2026, 4, 1, 6, 30, 15, tzinfo=UTC)
ROLE_ARN = "arn:aws:iam::123456789012:role/service-role/lambda_presign_siblings"


def deployed(**environment: str) -> Deployed:
    """Return a function with some variables."""
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:presign"
    return Deployed("presign", None, arn, "/aws/lambda/presign", None, environment)


def found(iam: Any, **environment: str) -> SigningRole | SigningKey:
    """Return who signs."""
    return signer_of(deployed(**environment), ROLE_ARN, boto3.client("secretsmanager"), iam)


@mock_aws
def test_the_functions_own_role_denies_older_sessions() -> None:
    """As the console's "revoke active sessions" does, under the same policy's name."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="lambda_presign_siblings", AssumeRolePolicyDocument="{}")
    signer = found(iam)
    assert signer == SigningRole("lambda_presign_siblings", is_the_functions=True)
    revoke(signer, iam, NOW)
    document: Any = iam.get_role_policy(RoleName="lambda_presign_siblings", PolicyName=POLICY)["PolicyDocument"]
    (statement,) = document["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", ["*"], ["*"])
    assert statement["Condition"] == {"DateLessThan": {"aws:TokenIssueTime": "2026-04-01T06:30:15.000Z"}}


@mock_aws
def test_the_signing_role_is_the_one_that_is_revoked() -> None:
    """The function's own sessions continue."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="signer", AssumeRolePolicyDocument="{}")
    signer = found(iam, SIGNING_ROLE_ARN="arn:aws:iam::123456789012:role/signer")
    assert signer == SigningRole("signer", is_the_functions=False)
    revoke(signer, iam, NOW)
    assert iam.list_role_policies(RoleName="signer")["PolicyNames"] == [POLICY]


@mock_aws
def test_a_users_key_becomes_inactive() -> None:
    """Links of an IAM user die with the key."""
    iam, secrets = boto3.client("iam"), boto3.client("secretsmanager")
    iam.create_user(UserName="signer")
    key = iam.create_access_key(UserName="signer")["AccessKey"]["AccessKeyId"]
    secrets.create_secret(Name="signing", SecretString=json.dumps({"aws_access_key_id": key}))
    signer = found(iam, SIGNING_SECRET="signing")
    assert signer == SigningKey("signer", key)
    revoke(signer, iam, NOW)
    (listed,) = iam.list_access_keys(UserName="signer")["AccessKeyMetadata"]
    assert listed["Status"] == "Inactive"


@mock_aws
def test_a_secret_without_a_key_is_told_by_its_name() -> None:
    """And by nothing that stands in it."""
    boto3.client("secretsmanager").create_secret(Name="signing", SecretString='{"other": "s3cr3t"}')
    with pytest.raises(NotFoundError, match="signing secret signing holds no") as refused:
        found(boto3.client("iam"), SIGNING_SECRET="signing")
    assert "s3cr3t" not in str(refused.value)
