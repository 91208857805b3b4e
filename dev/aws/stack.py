"""The whole stack on the emulator: the same template as on AWS; only parameters differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from dev.aws import emulator_gaps, ministack
from dev.checkout import PACKAGES
from presign_siblings.deploy import deploy, package, stacks
from presign_siblings.deploy.package import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dev.aws.emulator import Emulator

STACK = "presign-siblings"
CODE_BUCKET = "code"
BUCKET = "reports"
PREFIX = "inbox/"
MANIFEST_PREFIX = "manifests/"
ERRORS = (BotoCoreError, ClientError, stacks.DeployError, ministack.EmulatorError, OSError)  # of work on the stack


@dataclass(frozen=True, slots=True)
class Stack:
    """
    The names of a stack's resources.

    :param function: Name of the function.
    :param live:     ARN of its alias, which schedules and queue invoke.
    :param role:     ARN of its role.
    :param logs:     Name of its log group.
    :param jobs:     Name of the jobs table.
    :param queue:    URL of the queue whose messages start jobs.
    :param letters:  URL of the dead-letter queue.
    :param failed:   URL of the queue of events that Lambda has given up.
    """

    function: str
    live: str
    role: str
    logs: str
    jobs: str
    queue: str
    letters: str
    failed: str


def host() -> Target:
    """Return the target of this machine: the emulator runs functions in its own interpreter."""
    return Target("host", ministack.interpreter(), ("--only-binary=:all:",), compiler=ministack.interpreter())


def create(emulator: Emulator, parameters: Mapping[str, str]) -> Stack:
    """
    Build the package for this machine, create the stack, and add what the emulator ignores.

    :param parameters: Parameters besides bucket, prefix and package.
    """
    s3 = boto3.client("s3", **emulator.options)
    s3.create_bucket(Bucket=CODE_BUCKET)
    key = deploy.upload(s3, CODE_BUCKET, package.build(host(), PACKAGES))
    own = {
        "BucketName": BUCKET,
        "CreateBucket": "true",
        "Prefix": PREFIX,
        "ManifestPrefix": MANIFEST_PREFIX,
        "CodeBucket": CODE_BUCKET,
        "CodeKey": key,
        # The rule is enabled, because a rule that is off parks the chain; its date is far away.
        "ScheduleExpression": "cron(0 0 1 1 ? 2099)",
    }
    outputs = update(emulator, {**own, **parameters})
    emulator_gaps.fill(emulator, STACK)
    return Stack(
        function=outputs["FunctionName"],
        live=outputs["FunctionArn"],
        role=outputs["RoleArn"],
        logs=outputs["LogGroupName"],
        jobs=outputs["JobsTableName"],
        queue=outputs["JobsQueueUrl"],
        letters=outputs["DeadLettersUrl"],
        failed=outputs["FailedEventsUrl"],
    )


def set_variables(emulator: Emulator, function: str, **values: str | None) -> None:
    """Set environment variables of a function, or remove them (``None``); do nothing when nothing changes."""
    functions = boto3.client("lambda", **emulator.options)
    before = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    variables = {name: value for name, value in {**before, **values}.items() if value is not None}
    if variables != before:
        functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables})


def update(emulator: Emulator, parameters: Mapping[str, str]) -> dict[str, str]:
    """
    Change parameters of the stack, or create it; other parameters stay, and so does what ``emulator_gaps`` added.

    :return: The stack's outputs.
    """
    clients = boto3.client("cloudformation", **emulator.options), boto3.client("lambda", **emulator.options)
    url = deploy.upload_template(boto3.client("s3", **emulator.options), CODE_BUCKET)
    _, outputs = deploy.deploy(*clients, STACK, parameters, poll=0.1, template_url=url)
    return outputs
