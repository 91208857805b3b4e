"""Create or update the stack: the package to S3, the template through a change set, and the alias to a new version."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from presign_siblings.deploy import change_set, lifecycle, package, template
from presign_siblings.deploy.change_set import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client

TAGS = {"application": "presign-siblings"}
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6


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
    cloudformation: CloudFormationClient,
    functions: LambdaClient,
    stack: str,
    parameters: Mapping[str, str],
    poll: float = 1,
    tags: Mapping[str, str] | None = None,
) -> tuple[bool, dict[str, str]]:
    """
    Create the stack or update it, publish what stands as a version, and move the alias to it.

    Lambda publishes no new version when neither code nor settings have changed since the last one.

    :param poll: Seconds between two looks at the stack's state.
    :return:     Whether anything changed, and the stack's outputs.
    :raises DeployError: A parameter does not fit the others, or the change set or the stack failed.
    """
    before = change_set.values(cloudformation, stack) or {}
    _check({**_defaults(), **before, **parameters})
    tags = tags or (None if before else TAGS)
    changed = change_set.apply(cloudformation, stack, parameters, poll=poll, tags=tags)
    function = change_set.outputs(cloudformation, stack)["FunctionName"]
    version = functions.publish_version(FunctionName=function)["Version"]
    moved = go_live(cloudformation, stack, version, poll)
    return changed or moved, change_set.outputs(cloudformation, stack)


def go_live(cloudformation: CloudFormationClient, stack: str, version: str, poll: float = 1) -> bool:
    """
    Move the alias to a version: the newest after a deployment, an older one to roll back.

    :return: Whether it stood elsewhere.
    :raises DeployError: There is no such stack or version.
    """
    before = change_set.values(cloudformation, stack)
    if before is None:
        raise DeployError(f"there is no stack {stack}")
    if before.get("LiveVersion") == version:
        return False
    return change_set.apply(cloudformation, stack, {"LiveVersion": version}, poll=poll, same_template=True)


def _defaults() -> dict[str, str]:
    return {name: str(each.get("Default", "")) for name, each in template.load()["Parameters"].items()}


def _check(parameters: Mapping[str, str]) -> None:
    """Check what the template cannot: it does not calculate."""
    timeout, visibility = int(parameters["Timeout"]), int(parameters["QueueVisibilitySeconds"])
    if parameters["CreateQueue"] == "true" and visibility < VISIBILITY_FACTOR * timeout:
        raise DeployError(
            f"QueueVisibilitySeconds is {visibility}: it must be at least {VISIBILITY_FACTOR * timeout}, "
            f"{VISIBILITY_FACTOR} times Timeout, or a message is handed out again while its job is at work"
        )


def main() -> int:
    """Deploy to the account of the caller's credentials."""
    arguments = _arguments()
    console = Console(soft_wrap=True, highlight=False)
    try:
        if arguments.delete:
            change_set.delete(boto3.client("cloudformation"), arguments.stack)
            console.print(f"stack {arguments.stack}: deleted; buckets and what lies in them stay", markup=False)
        elif arguments.live_version:
            moved = go_live(boto3.client("cloudformation"), arguments.stack, arguments.live_version)
            stands = "is now at" if moved else "stood already at"
            console.print(f"stack {arguments.stack}: live {stands} version {arguments.live_version}", markup=False)
        else:
            _deploy(arguments, console)
    except (BotoCoreError, ClientError, DeployError) as error:
        Console(stderr=True, soft_wrap=True).print(f"not deployed: {error}", markup=False)
        return 1
    return 0


def _deploy(arguments: argparse.Namespace, console: Console) -> None:
    s3, cloudformation = boto3.client("s3"), boto3.client("cloudformation")
    code_bucket = arguments.code_bucket or f"sosw-s3-{boto3.client('sts').get_caller_identity()['Account']}"
    key = upload(s3, code_bucket, package.build(package.deployment(arguments.architecture, arguments.runtime)))
    named = {"BucketName": arguments.bucket, "Prefix": arguments.prefix, "ScheduleExpression": arguments.schedule}
    parameters = {name: value for name, value in named.items() if value is not None}
    parameters |= {"CodeBucket": code_bucket, "CodeKey": key}
    parameters |= {"Architecture": arguments.architecture, "Runtime": arguments.runtime}
    parameters |= dict(arguments.set)
    tags = {**TAGS, **dict(arguments.tag)} if arguments.tag else None
    changed, outputs = deploy(cloudformation, boto3.client("lambda"), arguments.stack, parameters, tags=tags)
    stands = "deployed" if changed else "no changes, it stands as it was"
    console.print(f"stack {arguments.stack}: {stands}", markup=False)
    for name, value in outputs.items():
        console.print(f"  {name:16} {value}", markup=False)
    now = change_set.values(cloudformation, arguments.stack) or {}
    for line in lifecycle.looked_after(s3, now, merge=arguments.merge_lifecycle):
        console.print(line, markup=False)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m presign_siblings.deploy.deploy", description=__doc__)
    parser.add_argument("--stack", required=True, help="name of the stack, e.g. presign-siblings")
    parser.add_argument("--bucket", help="bucket of the PDFs")
    parser.add_argument("--prefix", help="prefix that a job lists; the whole bucket when never given")
    parser.add_argument("--schedule", help="when the job starts, e.g. 'rate(1 day)'")
    code_bucket = os.environ.get("CODE_BUCKET")  # make hands its variables on
    parser.add_argument("--code-bucket", default=code_bucket, help="bucket of the package (sosw-s3-<account>)")
    for name, text in {"--set": "any other parameter", "--tag": "tag of the stack and of all that is in it"}.items():
        parser.add_argument(name, action="append", default=[], metavar="NAME=VALUE", type=_pair, help=text)
    parser.add_argument(
        "--merge-lifecycle", action="store_true", help="add our lifecycle rules to an existing bucket's"
    )
    package.add_target(parser)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--live-version", metavar="N", help="only move the alias, to roll back")
    instead.add_argument("--delete", action="store_true", help="delete the stack instead")
    arguments = parser.parse_args()
    if not arguments.stack:
        parser.error("--stack is empty: make deploy STACK=...")
    if not (arguments.bucket or arguments.live_version or arguments.delete):
        parser.error("--bucket is empty: make deploy BUCKET=...")
    return arguments


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
