"""What signs URLs in place of the function's own credentials: read from Secrets Manager, or asked of STS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from processor.aws import role_credentials, secret_credentials, secret_text
from processor.chain.signer import distribution_of
from processor.errors import TerminalError
from processor.job import CLOUDFRONT

if TYPE_CHECKING:
    from processor.aws import SigningCredentials
    from processor.job import DeploymentSettings, Job
    from processor.signing import Distribution

# boto3's own patience is five minutes where a VPC has no endpoint of the service: longer than many a timeout.
_IMPATIENT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


def signing_credentials(deployment: DeploymentSettings) -> SigningCredentials | None:
    """
    Return credentials that sign in place of the function's own, when the deployment names some.

    A role's session lasts an hour at most when a role assumes it; an IAM user's keys sign for the full 7 days.

    :raises RetryableError: The credentials cannot be read.
    """
    if deployment.signing_secret is not None:
        return secret_credentials(deployment.signing_secret, _secret(deployment.signing_secret))
    if deployment.signing_role_arn is not None:
        return role_credentials(boto3.client("sts", config=_IMPATIENT), deployment.signing_role_arn)
    return None


def signing_distribution(deployment: DeploymentSettings, job: Job) -> Distribution | None:
    """
    Return CloudFront's distribution with its key, for a job whose URLs it signs.

    :raises RetryableError: The key cannot be read.
    :raises TerminalError: The deployment names no secret.
    """
    settings = deployment.distribution
    if job.signer != CLOUDFRONT or settings is None:
        return None
    if settings.secret is None:
        raise TerminalError("signer cloudfront needs CLOUDFRONT_SECRET: the secret that holds the private key")
    return distribution_of(settings, job, _secret(settings.secret), settings.secret)


def _secret(name: str) -> str:
    """Return the text of a secret; sosw would search by the name, and read each secret whose name begins so."""
    return secret_text(boto3.client("secretsmanager", config=_IMPATIENT), name)
