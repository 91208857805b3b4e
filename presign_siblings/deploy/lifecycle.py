"""
The lifecycle rules of a bucket that is not the stack's own: read, merged with ours, and reported.

S3 replaces a bucket's whole configuration at each put, so the present rules are read first and put back.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from presign_siblings.deploy.bucket_rules import Rule, cut_short, merged, of_template
from presign_siblings.deploy.parameters import MOST_JOB_SECONDS, seconds
from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_s3 import S3Client

# What a function writes under its prefix: checkpoints, key maps, manifests and their pages.
_OURS = re.compile(r"(^|/)(\.checkpoints/|\.keymaps/|[0-9a-f]{16}-[0-9a-f]{16}\.(jsonl|jsonl\.gz|html)$)")
EXPIRES = "manifests-expire"
TRANSITION = "TransitionDefaultMinimumObjectSize"


def present(s3: S3Client, bucket: str) -> tuple[list[Rule], dict[str, Any]]:
    """
    Return the bucket's rules, and the other settings that must be put back with them.

    :raises ClientError: The rules may not be read.
    """
    try:
        found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        if error_code(error) == "NoSuchLifecycleConfiguration":
            return [], {}
        raise
    rules: list[Any] = list(found["Rules"])
    return rules, {TRANSITION: found[TRANSITION]} if TRANSITION in found else {}  # type: ignore[literal-required]


def missing(s3: S3Client, bucket: str, ours: Sequence[Rule]) -> list[str]:
    """
    Return the IDs of our rules that none of the bucket's replaces.

    :raises ClientError: The rules may not be read.
    """
    rules_now, _ = present(s3, bucket)
    return [rule["ID"] for rule in merged(rules_now, ours)[len(rules_now) :]]


def put(s3: S3Client, bucket: str, ours: Sequence[Rule]) -> list[str]:
    """
    Add our rules to the bucket's.

    :return: IDs of the rules that were added.
    :raises ClientError: The rules may not be read or put.
    """
    rules_now, beside = present(s3, bucket)
    rules = merged(rules_now, ours)
    added = [rule["ID"] for rule in rules[len(rules_now) :]]
    if added:
        configuration: Any = {"Rules": rules}
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=configuration, **beside)
    return added


def command(s3: S3Client, bucket: str, ours: Sequence[Rule]) -> str | None:
    """
    Return the AWS CLI's command that adds our rules to the bucket's, or ``None`` when nothing is missing.

    :raises ClientError: The rules may not be read.
    """
    rules_now, beside = present(s3, bucket)
    rules = merged(rules_now, ours)
    if len(rules) == len(rules_now):
        return None
    words = ["aws", "s3api", "put-bucket-lifecycle-configuration", "--bucket", bucket]
    words += ["--lifecycle-configuration", json.dumps({"Rules": rules}, default=lambda date: date.isoformat())]
    words += [word for value in beside.values() for word in ("--transition-default-minimum-object-size", value)]
    return shlex.join(words)


def looked_after(s3: S3Client, parameters: Mapping[str, str], *, merge: bool, dry: bool = False) -> Iterator[str]:
    """
    Add the rules that remove leftovers from a bucket that the stack did not make, or say how.

    :param parameters: The stack's.
    :param merge:      Add the rules; else the lines hold the command that adds them.
    :param dry:        Only say which rules would be added.
    :return: Lines for the reader.
    """
    bucket = parameters["ManifestBucket"] or parameters["BucketName"]
    if parameters["CreateBucket"] == "true":
        return
    ours = of_template(parameters)
    try:
        told = _shared(s3, bucket, parameters, ours)
        if told is not None:
            merge = False
            yield told
        if merge:
            verb, ids = ("would be added", missing(s3, bucket, ours)) if dry else ("added", put(s3, bucket, ours))
            yield f"lifecycle rules {verb} to s3://{bucket}: {', '.join(ids) or 'none is missing'}"
        elif (command_line := command(s3, bucket, ours)) is not None:
            yield (
                f"note: s3://{bucket} keeps manifests, checkpoints and parts of lost chains for ever. This adds the "
                f"rules that remove them to those that it has, as --merge-lifecycle does:\n{command_line}"
            )
        rules_now, _ = present(s3, bucket)
        rules_now = merged(rules_now, ours) if merge and dry else rules_now
        yield from kept(s3, bucket, has_rule=len(merged(rules_now, ours)) == len(rules_now))
        for rule in cut_short(
            rules_now, parameters["ManifestPrefix"], seconds(parameters, "MaxJobSeconds", MOST_JOB_SECONDS)
        ):
            yield f"warning: rule {rule} of s3://{bucket} aborts the uploads of jobs that are still at work"
    except ClientError as error:
        # A deployment works without the right to read or write the rules.
        yield f"note: the lifecycle rules of s3://{bucket} are left as they are: {error_code(error)}"


def _shared(s3: S3Client, bucket: str, parameters: Mapping[str, str], ours: Sequence[Rule]) -> str | None:
    """
    Warn of a key that is not named as the function names its own: the rule for manifests would delete it.

    :raises ClientError: The rules may not be read, or the keys not be listed.
    """
    if not any(each.startswith(EXPIRES) for each in missing(s3, bucket, ours)):
        return None
    prefix, own = parameters["ManifestPrefix"], parameters["ManifestKey"]
    # All pages: checkpoints come first, and may be thousands.
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", ()):
            if each["Key"] not in {own, prefix} and not _OURS.search(each["Key"][len(prefix) :]):
                return (
                    f"warning: s3://{bucket}/{each['Key']} does not have the name of a manifest. The rule {EXPIRES} "
                    f"deletes whatever is under {prefix} after {parameters['ManifestExpiryDays']} days, so no rule is "
                    "added; if all of it may go (as what a manifest_key of events or run --to names), add them yourself"
                )
    return None


def kept(s3: S3Client, bucket: str, *, has_rule: bool) -> Iterator[str]:
    """
    Warn of what a bucket keeps of an expired or deleted manifest, with the links in it.

    :param has_rule: Whether the bucket's rules do all that ours do.
    :return: Lines for the reader.
    """
    if not has_rule and s3.get_bucket_versioning(Bucket=bucket).get("Status"):
        yield (
            f"warning: s3://{bucket} keeps versions: without the rule old-versions-expire every expired manifest stays "
            "as a noncurrent version, with its links, and so does every checkpoint"
        )
    try:
        lock = s3.get_object_lock_configuration(Bucket=bucket).get("ObjectLockConfiguration", {})
    except ClientError as error:
        if error_code(error) != "ObjectLockConfigurationNotFoundError":
            raise
        return
    if lock.get("ObjectLockEnabled") == "Enabled":
        yield (
            f"warning: s3://{bucket} has Object Lock: no rule removes a manifest or a checkpoint before its retention "
            "ends; name a ManifestBucket without it"
        )
