"""What signs a job's URLs: S3's credentials, or the key of a CloudFront distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processor.signing import CloudFrontSigner, Distribution, Response, open_signer, private_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.job import DistributionSettings, Job
    from processor.signing import Signer


def distribution_of(settings: DistributionSettings, job: Job, pem: str, name: str) -> Distribution:
    """
    Return what a job's links to a distribution are signed with.

    :param pem:  The private key.
    :param name: Name of the place that holds the key, for messages.
    :raises RetryableError: CloudFront does not take the key.
    """
    return Distribution(
        domain=settings.domain,
        key_pair_id=settings.key_pair_id,
        key=private_key(pem, name, settings.hash_algorithm),
        policy=job.policy,
        prefix=job.prefix,
        starts_at=job.starts_at,
        ip_range=job.ip_range,
        hash_algorithm=settings.hash_algorithm,
    )


async def open_job_signer(
    job: Job, client: S3Client, secret_key: str, clock: Callable[[], datetime], distribution: Distribution | None
) -> Signer:
    """
    Create the signer of a job's URLs.

    :param client:       Signs where there is no distribution.
    :param secret_key:   The client's secret key.
    :param clock:        The signing clock, UTC.
    :param distribution: Where the URLs point, for a job whose ``signer`` is CloudFront.
    """
    if distribution is not None:
        return CloudFrontSigner(distribution, job.expiry_seconds, clock, Response(job.response_headers))
    return await open_signer(
        client,
        secret_key,
        bucket=job.bucket,
        expiry_seconds=job.expiry_seconds,
        clock=clock,
        headers=job.response_headers,
        pins=job.version_ids,
    )
