"""Credentials of a role, for tests of its rights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3

from dev.aws import ministack

if TYPE_CHECKING:
    from dev.aws.emulator import ClientOptions, Emulator


def as_role(running: Emulator, role: str) -> ClientOptions:
    """
    Return client options with credentials of a function's role, whose trust is widened to this account first.

    :param role: The role's ARN.
    """
    account = f"arn:aws:iam::{ministack.ACCOUNT}:root"
    trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    service = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    boto3.client("iam", **running.options).update_assume_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [service, trust]}),
    )
    session = boto3.client("sts", **running.options).assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return running.options_as(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
