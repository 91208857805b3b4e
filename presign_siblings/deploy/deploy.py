"""Create or update the stack: the package to S3, the template through a change set, and the alias to a new version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from presign_siblings.deploy import change_set, stacks, template, versions
from presign_siblings.deploy.parameters import check, defaults
from presign_siblings.deploy.stacks import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client

TAGS = {"application": "presign-siblings"}
MOST_INLINE = 51_200  # bytes of a template in the request itself; a longer one lies in S3


def upload(s3: S3Client, bucket: str, archive: Path) -> str:
    """
    Put the package where the stack takes it from.

    :return: Its key, which holds the digest of its content: CloudFormation sees new code by a new key only.
    :raises DeployError: The bucket does not exist.
    """
    return _stored(s3, bucket, archive.read_bytes(), "zip")


def upload_template(s3: S3Client, bucket: str) -> str | None:
    """
    Put the template beside the package when it is too long for a request.

    :return: Its URL for CloudFormation, or ``None`` when it goes inline.
    :raises DeployError: The bucket does not exist.
    """
    content = template.TEMPLATE.read_bytes()
    if len(content) <= MOST_INLINE:
        return None
    return f"{s3.meta.endpoint_url}/{bucket}/{_stored(s3, bucket, content, 'yaml')}"


def _stored(s3: S3Client, bucket: str, content: bytes, ending: str) -> str:
    key = _key(content, ending)
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    except s3.exceptions.NoSuchBucket as error:
        raise DeployError(f"no bucket {bucket} for the package: make it, or name another with --code-bucket") from error
    return key


def key_of(archive: Path) -> str:
    """Return the package's key."""
    return _key(archive.read_bytes(), "zip")


def _key(content: bytes, ending: str) -> str:
    return f"sosw/packages/presign_siblings-{hashlib.sha256(content).hexdigest()[:12]}.{ending}"


def deploy(  # noqa: PLR0913 - clients, and what a change set has
    cloudformation: CloudFormationClient,
    functions: LambdaClient,
    stack: str,
    parameters: Mapping[str, str],
    *,
    poll: float = 1,
    tags: Mapping[str, str] | None = None,
    template_url: str | None = None,
) -> tuple[bool, dict[str, str]]:
    """
    Create the stack or update it, publish what stands as a version, move the alias to it, and delete old versions.

    Lambda publishes no new version when neither code nor settings have changed since the last one.

    :param poll: Seconds between two looks at the stack's state.
    :param template_url: Where the template lies; ``None`` sends it inline.
    :return:     Whether anything changed, and the stack's outputs.
    :raises DeployError: A parameter does not fit the others, or the change set or the stack failed.
    """
    before = stacks.values(cloudformation, stack) or {}
    check({**defaults(), **before, **parameters})
    tags = tags or (None if before else TAGS)
    changed = change_set.apply(cloudformation, stack, parameters, poll=poll, tags=tags, template_url=template_url)
    function = stacks.outputs(cloudformation, stack)["FunctionName"]
    described = (stacks.values(cloudformation, stack) or {}).get("Release", "")
    version = functions.publish_version(FunctionName=function, Description=described)["Version"]
    moved = go_live(cloudformation, functions, stack, version, poll)
    versions.prune(functions, function, version)
    return changed or moved, stacks.outputs(cloudformation, stack)


def go_live(
    cloudformation: CloudFormationClient, functions: LambdaClient, stack: str, version: str, poll: float = 1
) -> bool:
    """
    Move the alias to a version: the newest after a deployment, an older one to roll back.

    :return: Whether it stood elsewhere.
    :raises NotFoundError: There is no such stack.
    :raises DeployError: It cannot be changed, or there is no such version.
    """
    wanted, moved = {"LiveVersion": version}, False
    if stacks.standing(cloudformation, stack).get("LiveVersion") != version:
        moved = change_set.apply(cloudformation, stack, wanted, poll=poll, same_template=True)
    return versions.aim(functions, stacks.outputs(cloudformation, stack)["FunctionName"], version) or moved
