"""Create or update the stack: the package to S3, the template through a change set, and the alias to a new version."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from presign_siblings.deploy import change_set, stacks, template, versions
from presign_siblings.deploy.parameters import check, defaults
from presign_siblings.deploy.stacks import DeployError
from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client

TAGS = {"application": "presign-siblings"}
MOST_INLINE = 51_200  # bytes of a template in the request itself; a longer one goes to S3


def upload(s3: S3Client, bucket: str, archive: Path, owner: str | None = None) -> str:
    """
    Upload the package to the bucket from which the stack takes it.

    :param owner: Account that must own the bucket, since the owner can replace the function's code.
    :return: The package's key, with the digest of its content: CloudFormation notices new code only by a new key.
    :raises DeployError: The bucket does not exist, or is another account's.
    """
    return _stored(s3, bucket, archive.read_bytes(), "zip", owner)


def upload_template(s3: S3Client, bucket: str, owner: str | None = None) -> str | None:
    """
    Upload the template beside the package when it is too long for a request.

    :param owner: As ``upload``.
    :return: The template's URL for CloudFormation, or ``None`` when it goes inline.
    :raises DeployError: As ``upload``.
    """
    content = template.TEMPLATE.read_bytes()
    if len(content) <= MOST_INLINE:
        return None
    return f"{s3.meta.endpoint_url}/{bucket}/{_stored(s3, bucket, content, 'yaml', owner)}"


def _stored(s3: S3Client, bucket: str, content: bytes, ending: str, owner: str | None) -> str:
    key, expected = _key(content, ending), {} if owner is None else {"ExpectedBucketOwner": owner}
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=content, **expected)  # type: ignore[arg-type]
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            message = f"no bucket {bucket} for the package: make it, or name another with --code-bucket"
        elif owner is not None and error_code(error) == "AccessDenied":
            message = f"bucket {bucket} takes no package, or is not account {owner}'s: name one with --code-bucket"
        else:
            raise
        raise DeployError(message) from error
    return key


def key_of(archive: Path) -> str:
    """Return the package's key."""
    return _key(archive.read_bytes(), "zip")


def _key(content: bytes, ending: str) -> str:
    return f"sosw/packages/presign_siblings-{hashlib.sha256(content).hexdigest()[:12]}.{ending}"


def deploy(  # noqa: PLR0913 - clients, and parts of a change set
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
    Create the stack or update it, publish the result as a version, move the alias to it, and delete old versions.

    Lambda publishes no new version when neither code nor settings have changed since the last one.

    :param poll: Seconds between two reads of the stack's state.
    :param template_url: URL of the template; ``None`` sends it inline.
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

    :return: Whether the alias pointed elsewhere.
    :raises NotFoundError: There is no such stack.
    :raises DeployError: The stack cannot be changed, or there is no such version.
    """
    wanted, moved = {"LiveVersion": version}, False
    if stacks.standing(cloudformation, stack).get("LiveVersion") != version:
        moved = change_set.apply(cloudformation, stack, wanted, poll=poll, same_template=True)
    return versions.aim(functions, stacks.outputs(cloudformation, stack)["FunctionName"], version) or moved
