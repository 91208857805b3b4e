"""Create or update the stack: the package to S3, the template through a change set."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import uuid
from typing import TYPE_CHECKING, Literal

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from rich.console import Console

from local import package, template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import ParameterTypeDef
    from types_boto3_s3 import S3Client

NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class DeployError(RuntimeError):
    """The stack could not be created or updated; the message says why."""


def upload(s3: S3Client, bucket: str, archive: Path) -> str:
    """
    Put the package where the stack takes it from.

    :return: Its key, which holds the digest of its content: CloudFormation sees new code by a new key only.
    :raises DeployError: The bucket does not exist.
    """
    content = archive.read_bytes()
    key = f"sosw/packages/presign_siblings-{hashlib.sha256(content).hexdigest()[:12]}.zip"
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    except s3.exceptions.NoSuchBucket as error:
        raise DeployError(f"no bucket {bucket} for the package: make it, or name another as CODE_BUCKET") from error
    return key


def deploy(
    cloudformation: CloudFormationClient, stack: str, parameters: Mapping[str, str], poll: float = 3
) -> tuple[bool, dict[str, str]]:
    """
    Create the stack or update it; on an update, parameters that are not named keep their values.

    :param poll: Seconds between two looks at its state.
    :return:     Whether anything changed, and the stack's outputs.
    :raises DeployError: The change set or the stack failed.
    """
    before = _parameters(cloudformation, stack)
    kind: Literal["CREATE", "UPDATE"] = "CREATE" if before is None else "UPDATE"
    given: list[ParameterTypeDef] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
    ]
    kept = set(before or ()) & set(template.load()["Parameters"]) - set(parameters)
    given += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)]
    change_set = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{uuid.uuid4().hex}",
        ChangeSetType=kind,
        TemplateBody=template.TEMPLATE.read_text(encoding="utf-8"),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=given,
    )["Id"]
    changed = _has_changes(cloudformation, change_set, poll)
    if changed:
        cloudformation.execute_change_set(ChangeSetName=change_set)
        _wait_for_stack(cloudformation, stack, kind, poll)
    (description,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return changed, {each["OutputKey"]: each["OutputValue"] for each in description.get("Outputs", [])}


def _parameters(cloudformation: CloudFormationClient, stack: str) -> list[str] | None:
    """Return the names of the stack's parameters, or ``None`` when there is no stack (or only its announcement)."""
    try:
        (description,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    if description["StackStatus"] == "ROLLBACK_COMPLETE":
        raise DeployError(f"the creation of stack {stack} failed before: delete it first, it holds nothing")
    if description["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    return [each["ParameterKey"] for each in description.get("Parameters", [])]


def _has_changes(cloudformation: CloudFormationClient, change_set: str, poll: float) -> bool:
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            ChangeSetName=change_set,
            WaiterConfig={"Delay": poll, "MaxAttempts": 200},  # type: ignore[typeddict-item]
        )
    except WaiterError as error:
        reason = cloudformation.describe_change_set(ChangeSetName=change_set).get("StatusReason", "")
        cloudformation.delete_change_set(ChangeSetName=change_set)
        if any(text in reason for text in NO_CHANGES):
            return False
        raise DeployError(f"the change set failed: {reason or error}") from error
    return True


def _wait_for_stack(cloudformation: CloudFormationClient, stack: str, kind: str, poll: float) -> None:
    name = "stack_create_complete" if kind == "CREATE" else "stack_update_complete"
    waiter = cloudformation.get_waiter(name)  # type: ignore[call-overload]
    try:
        waiter.wait(StackName=stack, WaiterConfig={"Delay": poll, "MaxAttempts": 600})
    except WaiterError as error:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [
            f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}"
            for each in reversed(events)
            if each["ResourceStatus"].endswith("_FAILED")
        ]
        raise DeployError("\n".join([f"stack {stack} failed:", *failed])) from error


def main() -> int:
    """Deploy to the account of the caller's credentials."""
    arguments = _arguments()
    console = Console(soft_wrap=True, highlight=False)
    try:
        s3 = boto3.client("s3")
        code_bucket = arguments.code_bucket or f"sosw-s3-{boto3.client('sts').get_caller_identity()['Account']}"
        key = upload(s3, code_bucket, package.build(package.deployment()))
        named = {"BucketName": arguments.bucket, "Prefix": arguments.prefix, "ScheduleExpression": arguments.schedule}
        parameters = {name: value for name, value in named.items() if value is not None}
        parameters |= {"CodeBucket": code_bucket, "CodeKey": key}
        parameters |= dict(each.split("=", 1) for each in arguments.set)
        changed, outputs = deploy(boto3.client("cloudformation"), arguments.stack, parameters)
    except (BotoCoreError, ClientError, DeployError) as error:
        Console(stderr=True, soft_wrap=True).print(f"not deployed: {error}", markup=False)
        return 1
    console.print(f"stack {arguments.stack}: {'deployed' if changed else 'no changes, it stands as it was'}")
    for name, value in outputs.items():
        console.print(f"  {name:16} {value}", markup=False)
    warn_of_unfinished_uploads(s3, outputs["ManifestPlace"].split("/")[2], console)
    return 0


def warn_of_unfinished_uploads(s3: S3Client, bucket: str, console: Console) -> None:
    """Say so when nothing aborts them: a bucket that is not the stack's own keeps its own lifecycle rules."""
    try:
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if "NoSuchLifecycleConfiguration" not in str(error):
            return  # whoever deploys need not be allowed to read them
        rules = []
    if not any("AbortIncompleteMultipartUpload" in rule for rule in rules):
        console.print(
            f"note: no lifecycle rule of s3://{bucket} aborts unfinished uploads, nor removes manifests: parts of "
            "lost chains would cost money for ever. The rules of the template's own bucket show what to add."
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.deploy", description=__doc__)
    parser.add_argument("--stack", required=True, help="name of the stack, e.g. presign-siblings")
    parser.add_argument("--bucket", required=True, help="bucket of the PDFs")
    parser.add_argument("--prefix", help="prefix that a job lists; the whole bucket when never given")
    parser.add_argument("--schedule", help="when the rule starts a job, e.g. 'rate(1 day)'")
    code_bucket = os.environ.get("CODE_BUCKET")  # make hands its variables on
    parser.add_argument("--code-bucket", default=code_bucket, help="bucket of the package (sosw-s3-<account>)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="any other parameter")
    arguments = parser.parse_args()
    for name in ("stack", "bucket"):
        if not getattr(arguments, name):
            parser.error(f"--{name} is empty: make deploy {name.upper()}=...")
    if any("=" not in each for each in arguments.set):
        parser.error("--set takes NAME=VALUE")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
