"""How S3 is reached from this machine, by a run and by a question: settings and endpoint."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from presign_siblings.connections import reaching
from presign_siblings.errors import WrongUseError
from processor.causes import BUCKET_REGION
from processor.job import (
    DEFAULT_MANIFEST_PREFIX,
    MAX_HOPS_LIMIT,
    WEEK_SECONDS,
    DeploymentSettings,
    endpoint,
    source_bucket,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_s3 import S3Client

    from presign_siblings.manifests.location import S3Place

# AWS's own hosts, in every partition (botocore/data/partitions.json).
_AWS = re.compile(r"\.(amazonaws\.(com(\.cn)?|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$")
# No table, no rules, no Lambda budget: the operator watches.
_SETTINGS = {"MAX_HOPS": str(MAX_HOPS_LIMIT), "MAX_JOB_SECONDS": str(WEEK_SECONDS)}


def deployment(
    endpoint_url: str | None, manifests: S3Place | None, more: Mapping[str, str] | None = None
) -> DeploymentSettings:
    """
    Return the settings of a run on this machine.

    :param manifests: Where in S3 the manifest is to lie; ``None`` for a file.
    :param more:      Variables of the function that options name.
    """
    settings = reaching(_SETTINGS | dict(more or {}))
    settings = replace(settings, endpoint_url=endpoint_url, shutdown_period=0.0, reads_files=True)
    if manifests is None:
        return replace(settings, manifest_is_file=True)
    prefix = manifests.key or DEFAULT_MANIFEST_PREFIX
    return replace(settings, manifest_bucket=manifests.bucket, manifest_prefix=prefix)


def endpoint_of(s3: S3Client, bucket: str) -> str | None:
    """
    Return the endpoint of S3, or ``None`` for one of AWS's own.

    :raises InvalidEventError: The bucket is none that a job lists: the SDK has its own words for some of these.
    :raises WrongUseError: The bucket is in another region: S3 would refuse the URLs.
    """
    source_bucket("bucket", bucket)
    url = str(s3.meta.endpoint_url)
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    if not _AWS.search(host):
        return endpoint("the endpoint of S3", url)
    try:
        answer: Any = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]
    except ClientError as error:
        answer = error.response["ResponseMetadata"]  # of any other refusal, the listing has the better message
    headers = answer.get("HTTPHeaders", {})
    own = bucket.split(":")[3] if bucket.startswith("arn:") else s3.meta.region_name  # an access point names its region
    region = headers.get(BUCKET_REGION, own)
    if region != own:
        raise WrongUseError(f"bucket {bucket} is in {region}: add --region {region}, or set AWS_REGION")
    return None
