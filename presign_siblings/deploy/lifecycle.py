"""
The lifecycle rules of a bucket that is not the stack's own: ours beside those that are there, and none overwritten.

S3 replaces a bucket's whole configuration at each put, so the rules that are there are read first and put back with it.
"""

from __future__ import annotations

import json
import math
import shlex
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from presign_siblings.deploy import template
from presign_siblings.deploy.deploy import MOST_JOB_SECONDS, seconds
from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_s3 import S3Client

ABORT = "AbortIncompleteMultipartUpload"
NONCURRENT, MARKERS = "NoncurrentVersionExpiration", "ExpiredObjectDeleteMarker"
_SAME_IN_BOTH: tuple[str, ...] = ("Status", ABORT, NONCURRENT)
TRANSITION = "TransitionDefaultMinimumObjectSize"
MOST_ID = 255  # characters of a rule's ID

Rule = dict[str, Any]


def of_template(parameters: Mapping[str, str]) -> list[Rule]:
    """
    Return the rules that the template gives a bucket of its own, in the form of the S3 API.

    :param parameters: Those of the stack; the template's defaults stand for the others.
    """
    loaded = template.load()
    defaults = {name: str(each.get("Default", "")) for name, each in loaded["Parameters"].items()}
    resolver = template.Resolver(loaded, {**defaults, **parameters})
    rules = loaded["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    return [translated(rule) for rule in resolver.resolve(rules)]


def translated(rule: Mapping[str, Any]) -> Rule:
    """Translate from CloudFormation's form of a rule to that of the S3 API."""
    same: Rule = {key: rule[key] for key in _SAME_IN_BOTH if key in rule}
    same |= {"ID": rule["Id"], "Filter": {"Prefix": rule["Prefix"]}}
    if "ExpirationInDays" in rule:
        same["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if rule.get(MARKERS):
        same["Expiration"] = {MARKERS: True}
    return same


def present(s3: S3Client, bucket: str) -> tuple[list[Rule], dict[str, Any]]:
    """
    Return the bucket's rules, and what must be put back beside them.

    :raises ClientError: They may not be read.
    """
    try:
        found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    except ClientError as error:
        if error_code(error) == "NoSuchLifecycleConfiguration":
            return [], {}
        raise
    rules: list[Any] = list(found["Rules"])
    return rules, {TRANSITION: found[TRANSITION]} if TRANSITION in found else {}  # type: ignore[literal-required]


def merged(there: Sequence[Rule], ours: Sequence[Rule]) -> list[Rule]:
    """
    Return the rules that are there, each as it is, and then those of ours whose work none of them does.

    A rule of the same ID is somebody's decision and stays, and so does one that does as much for a prefix around ours.
    """
    ids = {rule.get("ID") for rule in there}
    named = [_beside(rule, there) for rule in ours]
    missing = [rule for rule in named if rule["ID"] not in ids and not any(_covers(each, rule) for each in there)]
    return [*map(_second_form, there), *missing]


def _beside(rule: Rule, there: Sequence[Rule]) -> Rule:
    """Return a rule of ours, with its prefix in its ID where another deployment's rule in this bucket has the ID."""
    prefix = rule["Filter"]["Prefix"]
    others = [_prefix(each) for each in there if each.get("ID") == rule["ID"]]
    if all(prefix.startswith(other) or other.startswith(prefix) for other in others):
        return rule
    return {**rule, "ID": f"{rule['ID']} {prefix}"[:MOST_ID]}


def missing(s3: S3Client, bucket: str, ours: Sequence[Rule]) -> list[str]:
    """
    Return the IDs of our rules whose work none of the bucket's does.

    :raises ClientError: The rules may not be read.
    """
    there, _ = present(s3, bucket)
    return [rule["ID"] for rule in merged(there, ours)[len(there) :]]


def put(s3: S3Client, bucket: str, ours: Sequence[Rule]) -> list[str]:
    """
    Add our rules to the bucket's.

    :return: IDs of those that were added.
    :raises ClientError: The rules may not be read or put.
    """
    there, beside = present(s3, bucket)
    rules = merged(there, ours)
    added = [rule["ID"] for rule in rules[len(there) :]]
    if added:
        configuration: Any = {"Rules": rules}
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=configuration, **beside)
    return added


def command(s3: S3Client, bucket: str, ours: Sequence[Rule]) -> str | None:
    """
    Return the AWS CLI's command that adds our rules to the bucket's, or ``None`` when nothing is missing.

    :raises ClientError: The rules may not be read.
    """
    there, beside = present(s3, bucket)
    rules = merged(there, ours)
    if len(rules) == len(there):
        return None
    words = ["aws", "s3api", "put-bucket-lifecycle-configuration", "--bucket", bucket]
    words += ["--lifecycle-configuration", json.dumps({"Rules": rules}, default=lambda date: date.isoformat())]
    words += [word for value in beside.values() for word in ("--transition-default-minimum-object-size", value)]
    return shlex.join(words)


def looked_after(s3: S3Client, parameters: Mapping[str, str], *, merge: bool, dry: bool = False) -> Iterator[str]:
    """
    Have what nobody needs any more removed from a bucket that the stack did not make, or say how.

    :param parameters: Those of the stack.
    :param merge:      Add the rules; else the command that does is among the lines.
    :param dry:        Only say which rules would be added.
    :return: Lines for the reader.
    """
    bucket = parameters["ManifestBucket"] or parameters["BucketName"]
    if parameters["CreateBucket"] == "true":
        return
    ours = of_template(parameters)
    try:
        if merge:
            does, ids = ("would be added", missing(s3, bucket, ours)) if dry else ("added", put(s3, bucket, ours))
            yield f"lifecycle rules {does} to s3://{bucket}: {', '.join(ids) or 'none is missing'}"
        elif (line := command(s3, bucket, ours)) is not None:
            yield (
                f"note: s3://{bucket} keeps manifests, checkpoints and parts of lost chains for ever. This adds the "
                f"rules that remove them to those that it has, as --merge-lifecycle does:\n{line}"
            )
        there, _ = present(s3, bucket)
        there = merged(there, ours) if merge and dry else there
        yield from kept(s3, bucket, has_rule=len(merged(there, ours)) == len(there))
        for rule in cut_short(
            there, parameters["ManifestPrefix"], seconds(parameters, "MaxJobSeconds", MOST_JOB_SECONDS)
        ):
            yield f"warning: rule {rule} of s3://{bucket} aborts the uploads of jobs that are still at work"
    except ClientError as error:
        # Whoever deploys need not be allowed to read or write the rules.
        yield f"note: the lifecycle rules of s3://{bucket} are left as they are: {error_code(error)}"


def kept(s3: S3Client, bucket: str, *, has_rule: bool) -> Iterator[str]:
    """
    Say what a bucket keeps of a manifest that is expired or deleted, with the links in it.

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


def cut_short(there: Sequence[Rule], prefix: str, seconds: int) -> list[str]:
    """
    Return the IDs of the rules that abort uploads under a prefix while a job may still be at work on them.

    :param seconds: Longest age of a job.
    """
    return [
        rule.get("ID", "(without an ID)")
        for rule in there
        if rule.get("Status") == "Enabled"
        and any(prefix.startswith(each) or each.startswith(prefix) for each in _prefixes(rule))
        and (rule.get(ABORT, {}).get("DaysAfterInitiation") or math.inf) * 86_400 <= seconds
    ]


def _covers(rule: Rule, ours: Rule) -> bool:
    """Whether an enabled rule does what ours would: to every key under its prefix, and no later."""
    if rule.get("Status") != "Enabled" or not any(
        ours["Filter"]["Prefix"].startswith(each) for each in _prefixes(rule)
    ):
        return False
    expiration, noncurrent = rule.get("Expiration", {}), rule.get(NONCURRENT, {})
    # The versions that a rule keeps beside the newest are kept for ever.
    old = math.inf if "NewerNoncurrentVersions" in noncurrent else noncurrent.get("NoncurrentDays", math.inf)
    found = {
        ABORT: rule.get(ABORT, {}).get("DaysAfterInitiation", math.inf),
        "Days": expiration.get("Days", math.inf),
        # S3 removes lone markers with the objects that a rule of days expires, too.
        MARKERS: 0 if expiration.get(MARKERS) or "Days" in expiration else math.inf,
        NONCURRENT: old,
    }
    wanted = {
        ABORT: ours.get(ABORT, {}).get("DaysAfterInitiation"),
        "Days": ours.get("Expiration", {}).get("Days"),
        MARKERS: 0 if ours.get("Expiration", {}).get(MARKERS) else None,
        NONCURRENT: ours.get(NONCURRENT, {}).get("NoncurrentDays"),
    }
    return all(most is None or found[action] <= most for action, most in wanted.items())


def _prefix(rule: Rule) -> str:
    """Return the prefix of the keys that a rule chooses among."""
    chosen = rule.get("Filter", {})
    return str(rule.get("Prefix") or chosen.get("Prefix") or chosen.get("And", {}).get("Prefix") or "")


def _prefixes(rule: Rule) -> Iterator[str]:
    """Yield a rule's prefix, if it takes every key under it: one with tags or sizes in its filter does not."""
    chosen = rule.get("Filter", {})
    if "Prefix" in rule:
        yield rule["Prefix"]
    elif not set(chosen) - {"Prefix"}:
        yield chosen.get("Prefix", "")


def _second_form(rule: Rule) -> Rule:
    """Write a rule's prefix as a filter: S3 takes no configuration with rules of both forms."""
    if "Prefix" not in rule:
        return rule
    return {name: value for name, value in rule.items() if name != "Prefix"} | {"Filter": {"Prefix": rule["Prefix"]}}
