"""CloudFront on this machine: the private key comes from a file, or from Secrets Manager by the caller's own right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from presign_siblings import connections
from presign_siblings.errors import WrongUseError
from processor.aws import secret_text
from processor.chain import distribution_of
from processor.job import CLOUDFRONT

if TYPE_CHECKING:
    from processor.job import DeploymentSettings, Job
    from processor.signing import Distribution


def distribution(deployment: DeploymentSettings, job: Job, key_file: str | None) -> Distribution | None:
    """
    Return CloudFront's distribution with its key, for a job whose URLs it signs.

    :param key_file: The private key; ``None`` takes the secret's key.
    :raises WrongUseError: The file cannot be read, or neither file nor secret is named.
    :raises PresignSiblingsError: The file or the secret holds no key that CloudFront takes.
    """
    settings = deployment.distribution
    if job.signer != CLOUDFRONT or settings is None:
        return None
    if key_file is not None:
        try:
            return distribution_of(settings, job, Path(key_file).read_text(encoding="ascii"), key_file)
        except (OSError, UnicodeDecodeError):
            raise WrongUseError(f"cannot read a private key from {key_file}") from None
    if settings.secret is None:
        raise WrongUseError("signer cloudfront needs --private-key FILE, or the secret's name in CLOUDFRONT_SECRET")
    pem = secret_text(connections.client("secretsmanager"), settings.secret)
    return distribution_of(settings, job, pem, settings.secret)
