"""Checks before anything is built or changed: why a deployment would fail, or would be of no use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from presign_siblings.deploy.parameters import reserved_concurrency
from presign_siblings.deploy.schedule import longest_rest
from presign_siblings.deploy.stacks import DeployError
from processor.causes import BUCKET_REGION, why
from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client

UNRESERVED = 100
_MOST_HOURS = 168  # the template's most for CompletionHours: no alarm of CloudWatch looks further back
_ABSENT = frozenset({"404", "NoSuchBucket"})


@dataclass(frozen=True, slots=True)
class Preflight:
    """
    The account, as a deployment will find it.

    :param s3:        S3 client in the region of the stack.
    :param functions: Lambda client.
    :param now:       Parameters as the stack will have them: the defaults, its present ones, and the new ones.
    :param before:    Parameters that the stack has; ``None`` where there is no stack.
    """

    s3: S3Client
    functions: LambdaClient
    now: Mapping[str, str]
    before: Mapping[str, str] | None

    def check(self, *, allow_empty: bool) -> list[str]:
        """
        Check buckets, prefix, keys, quota and alarms.

        :param allow_empty: Whether the prefix may hold no object yet.
        :return: Notes for the reader, such as what could not be checked.
        :raises DeployError: The deployment would fail, or its jobs would; the message names every fault.
        """
        faults, notes = list[str](), list[str]()
        findings = (
            *self._buckets(),
            *self._prefix(allow_empty=allow_empty),
            *self._keys(),
            *self._lists(),
            *self._quota(),
            *self._alarms(),
        )
        for kind, text in findings:
            (faults if kind == "fault" else notes).append(text)
        if faults:
            raise DeployError("nothing was built or changed: " + "; ".join(faults))
        return notes

    def _buckets(self) -> Iterator[tuple[str, str]]:
        named = {
            self.now["BucketName"]: "--bucket",
            self.now["ManifestBucket"]: "--set ManifestBucket",
            self.now["CodeBucket"]: "--code-bucket",
        }
        for bucket, option in named.items():
            if bucket and bucket != self._made:
                yield from self._bucket(bucket, option)
        if self._made is not None and self._is_there(self._made):
            fault = f"bucket {self._made} exists already, and CreateBucket=true would make it"
            yield "fault", f"{fault}: --set CreateBucket=false uses it, as after a deletion, which leaves the buckets"

    def _is_there(self, bucket: str) -> bool:
        """Whether a bucket exists, in any account and region."""
        try:
            self.s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            return error_code(error) not in _ABSENT
        return True

    @property
    def _made(self) -> str | None:
        """The bucket that the stack is about to make."""
        made = _own_bucket(self.now)
        return None if self.before is not None and made == _own_bucket({**self.now, **self.before}) else made

    def _bucket(self, bucket: str, option: str) -> Iterator[tuple[str, str]]:
        own = self.s3.meta.region_name
        try:
            headers = self.s3.head_bucket(Bucket=bucket)["ResponseMetadata"].get("HTTPHeaders", {})
        except ClientError as error:
            headers = error.response["ResponseMetadata"].get("HTTPHeaders", {})
            if error_code(error) in _ABSENT:
                yield "fault", f"there is no bucket {bucket} ({option})"
                return
            if BUCKET_REGION not in headers:
                yield "note", f"bucket {bucket} ({option}) could not be checked: {why(error)}"
                return
        region = headers.get(BUCKET_REGION, own)
        if region != own:
            fault = f"bucket {bucket} ({option}) is in {region}, and the stack goes to {own}: add --region {region}"
            yield "fault", fault

    def _prefix(self, *, allow_empty: bool) -> Iterator[tuple[str, str]]:
        bucket, prefix = self.now["BucketName"], self.now["Prefix"]
        literal = prefix.partition("{")[0]  # dates are filled in at each run
        if allow_empty or bucket == self._made:
            return
        try:
            found = self.s3.list_objects_v2(Bucket=bucket, Prefix=literal, MaxKeys=1)
        except ClientError as error:
            if error_code(error) not in _ABSENT:
                yield "note", f"s3://{bucket}/{literal} could not be checked: {why(error)}"
            return
        if not found.get("KeyCount", len(found.get("Contents", ()))):
            yield "fault", f"s3://{bucket}/{literal} holds no object (--prefix); --allow-empty deploys all the same"

    def _keys(self) -> Iterator[tuple[str, str]]:
        """Find KMS keys that the role will have no right to use; a listing does not show them."""
        pdfs = self.now["BucketName"]
        for bucket, parameter, consequence in (
            (pdfs, "PdfKmsKeyArn", "links that the function's role signs answer 403"),
            (self.now["ManifestBucket"] or pdfs, "ManifestKmsKeyArn", "no manifest can be written"),
        ):
            key = None if self.now[parameter] or bucket == self._made else self._key(bucket)
            if key is not None:
                unless = f"without --set {parameter}=ARN, or the role in the policy of the key"
                yield "note", f"s3://{bucket} encrypts with the KMS key {key}: {unless}, {consequence}"

    def _key(self, bucket: str) -> str | None:
        """Return the customer's key that a bucket encrypts with, where the caller may read it."""
        try:
            found = self.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        except ClientError:
            return None
        keys = (each.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for each in found)
        return next((key for key in keys if key and not key.endswith("alias/aws/s3")), None)

    def _lists(self) -> Iterator[tuple[str, str]]:
        """Find lists of keys that the role may not read, unless the policy of their bucket allows it."""
        pdfs, manifests = self.now["BucketName"], self.now["ManifestBucket"] or self.now["BucketName"]
        reach = self.now["AllowedPrefix"] or self.now["Prefix"]
        readable = (f"{pdfs}/{reach}", f"{manifests}/{self.now['ManifestPrefix']}", self.now["KeysPlace"] or "s3://")
        for name in ("KeysFrom", "Refresh"):
            place = self.now[name]
            if place and not place.removeprefix("s3://").startswith(readable):
                yield "note", f"without --set KeysPlace=BUCKET/PREFIX, the role may not read {place} ({name})"

    def _quota(self) -> Iterator[tuple[str, str]]:
        wanted, chains = reserved_concurrency(self.now), int(self.now["Chains"])
        try:
            free = self.functions.get_account_settings()["AccountLimit"].get("UnreservedConcurrentExecutions")
            held = self._held()
        except ClientError as error:
            yield "note", f"the account's concurrency could not be checked: {why(error)}"
            return
        if free is None:  # an emulator has no such limit
            return
        most = free + held - UNRESERVED
        if wanted is None:
            if 1 < chains >= free + held:
                yield "fault", f"Chains is {chains}, and the account has {free + held} invocations at once for all"
        elif wanted > max(most, held):
            fault = f"ReservedConcurrency is {wanted}, and the account has {max(most, 0)} to reserve in this region"
            unreserved = f"Lambda keeps {UNRESERVED} for other functions"
            yield (
                "fault",
                f"{fault} ({unreserved}): --set ReservedConcurrency=N, none to share theirs, or ask AWS for more",
            )

    def _alarms(self) -> Iterator[tuple[str, str]]:
        if not (self.now["AlarmEmail"] or self.now["AlarmTopicArn"]):
            yield "note", "alarms notify nobody: --alarm-email ADDRESS, or --set AlarmTopicArn=..."
        hours, rest = int(self.now["CompletionHours"]), longest_rest(self.now["ScheduleExpression"])
        if self.now["ScheduleState"] == "ENABLED" and self.now["RefreshHours"] == "0" and 0 < hours <= rest:
            enough = f"HOURS, of more than {rest}" if rest < _MOST_HOURS else "0, for no such alarm"
            rests = f"the schedule starts no job for up to {rest} hours"
            yield "note", f"{rests}, and the alarm no_completion comes after {hours}: --set CompletionHours={enough}"

    def _held(self) -> int:
        """Return what the function has reserved already."""
        if self.before is None:
            return 0
        try:
            found = self.functions.get_function_concurrency(FunctionName=self.now["NameUnderscored"])
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return 0
        return int(found.get("ReservedConcurrentExecutions", 0))


def _own_bucket(parameters: Mapping[str, str]) -> str | None:
    """Return the bucket that a stack of these parameters has made, or makes."""
    makes = parameters["CreateBucket"] == "true"
    return (parameters["ManifestBucket"] or parameters["BucketName"]) if makes else None
