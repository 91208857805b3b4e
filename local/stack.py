"""The whole stack on the emulator: the deployed template, with nothing but parameters changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from local import deploy, gaps, package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.emulator import Emulator

STACK = "presign-siblings"
CODE_BUCKET = "code"
BUCKET = "reports"
PREFIX = "inbox/"
MANIFEST_PREFIX = "manifests/"


@dataclass(frozen=True, slots=True)
class Stack:
    """
    What a caller of the stack needs to know.

    :param function: Name of the function.
    :param role:     ARN of its role.
    :param logs:     Its log group.
    :param jobs:     Name of the jobs table.
    """

    function: str
    role: str
    logs: str
    jobs: str


def create(emulator: Emulator, parameters: Mapping[str, str]) -> Stack:
    """
    Package for this machine, create the stack, and give it what the emulator drops.

    :param parameters: On top of bucket, prefix and package.
    """
    s3 = boto3.client("s3", **emulator.options)
    s3.create_bucket(Bucket=CODE_BUCKET)
    key = deploy.upload(s3, CODE_BUCKET, package.build(package.host()))
    own = {
        "BucketName": BUCKET,
        "CreateBucket": "true",
        "Prefix": PREFIX,
        "ManifestPrefix": MANIFEST_PREFIX,
        "CodeBucket": CODE_BUCKET,
        "CodeKey": key,
        # Enabled, for a rule that is off parks the chain; and never while anyone looks.
        "ScheduleExpression": "cron(0 0 1 1 ? 2099)",
    }
    cloudformation = boto3.client("cloudformation", **emulator.options)
    _, outputs = deploy.deploy(cloudformation, STACK, {**own, **parameters}, poll=0.1)
    gaps.fill(emulator, STACK)
    return Stack(outputs["FunctionName"], outputs["RoleArn"], outputs["LogGroupName"], outputs["JobsTableName"])


def update(emulator: Emulator, parameters: Mapping[str, str]) -> None:
    """Change parameters of the stack; the others, and what ``gaps`` put in, stay."""
    deploy.deploy(boto3.client("cloudformation", **emulator.options), STACK, parameters, poll=0.1)
